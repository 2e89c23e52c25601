"""Killed at random moments, several times in one run, with another number of workers each time."""

from __future__ import annotations

import itertools
import random
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from slic_mmaction.visualization.scalars import read_scalars

pytestmark = pytest.mark.faults(full=True)

KILLS = 24
WORKERS = (0, 1, 2)


def configs_by_workers(fault_config) -> dict[int, Path]:
    def make(workers: int) -> Path:
        return fault_config(
            train_dataloader__num_workers=workers,
            train_dataloader__persistent_workers=workers == 2,
            val_dataloader__num_workers=workers,
        )

    return {workers: make(workers) for workers in WORKERS}


def strike(training, moment: float) -> set[int] | None:
    """Kill -9 when the process has used so much processor time.

    Returns the loader workers that this leaves behind; None if the training ended before.
    """
    while (used := training.cpu_seconds()) is not None:
        if used >= moment:
            children = training.children()
            training.kill()
            return children
        time.sleep(0.02)
    return None


def assert_logs_can_be_read(work_dir: Path) -> None:
    assert "loss" in read_scalars(work_dir)
    for file in work_dir.rglob("events.out.tfevents.*"):
        EventAccumulator(str(file)).Reload()


def assert_ended(pids: set[int], is_alive) -> None:
    """Loader workers notice within seconds that their parent is gone."""
    patience = time.monotonic() + 60
    while any(map(is_alive, pids)):
        assert time.monotonic() < patience, "loader workers outlive their killed run"
        time.sleep(0.2)


def test_killed_at_random_moments(
    start,
    process_is_alive,
    fault_config,
    uninterrupted,
    outcome_of,
    fault_row,
    tmp_path: Path,
) -> None:
    configs = configs_by_workers(fault_config)
    whole = start(configs[0], tmp_path / "whole")
    length = 0.0
    while (used := whole.cpu_seconds()) is not None:
        length = used
        time.sleep(0.02)
    assert whole.end()[0] == 0
    assert outcome_of(tmp_path / "whole") == uninterrupted
    hashes = ", ".join(f"{name} {value[:12]}" for name, value in uninterrupted.items())
    fault_row("nothing, started twice", 2, f"identical: {hashes.partition(', files')[0]}")

    rng = random.Random(0)
    kills, orphans = 0, set()
    for number in itertools.count():
        work_dir = tmp_path / f"run_{number}"
        resume: list[str] = []
        while True:
            training = start(configs[rng.choice(WORKERS)], work_dir, *resume)
            left = strike(training, rng.uniform(0, length))
            code, output = training.end()
            if left is None or code == 0:  # it may end while it is being struck
                break
            assert code == -9, output[-3000:]
            orphans |= left
            kills, resume = kills + 1, ["--resume"]
        assert code == 0, output[-3000:]
        assert outcome_of(work_dir) == uninterrupted
        assert_logs_can_be_read(work_dir)
        if kills >= KILLS:
            break
    assert orphans
    assert_ended(orphans, process_is_alive)
    fault_row(
        f"kill -9 at random moments of {number + 1} runs, 0 to 2 loader workers in turn",
        kills,
        "each resumed, all identical",
    )
