"""Killed at random moments, several times in one run, with another number of workers each time."""

from __future__ import annotations

import itertools
import os
import random
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from slic_mmaction.visualization.scalars import read_scalars

pytestmark = pytest.mark.faults(full=True)

KILLS = 24
WORKERS = (0, 1, 2)
PATIENCE = 600  # seconds: a last resort only


def cpu_seconds(pid: int) -> float | None:
    """Processor time used so far; None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def strike(training, moment: float) -> set[int] | None:
    """Kill -9 when the process has used so much processor time.

    Returns the loader workers that this leaves behind; None if the training ended before.
    """
    while (used := cpu_seconds(training.pid)) is not None:
        if used >= moment:
            workers = Path(f"/proc/{training.pid}/task/{training.pid}/children").read_text()
            training.kill()
            return set(map(int, workers.split()))
        time.sleep(0.02)
    return None


def test_killed_at_random_moments(
    start, fault_config, uninterrupted, outcome_of, tmp_path: Path
) -> None:
    configs = {
        workers: fault_config(
            train_dataloader__num_workers=workers,
            train_dataloader__persistent_workers=workers == 2,
            val_dataloader__num_workers=workers,
        )
        for workers in WORKERS
    }
    whole, length = start(configs[0], tmp_path / "whole"), 0.0
    while (used := cpu_seconds(whole.pid)) is not None:
        length = used
        time.sleep(0.02)
    assert whole.end()[0] == 0
    assert outcome_of(tmp_path / "whole") == uninterrupted

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
        assert "loss" in read_scalars(work_dir)
        for file in work_dir.rglob("events.out.tfevents.*"):
            EventAccumulator(str(file)).Reload()
        if kills >= KILLS:
            break
    end = time.monotonic() + PATIENCE
    while any(
        cpu_seconds(pid) is not None for pid in orphans
    ):  # they notice that their parent is gone
        assert time.monotonic() < end, "loader workers outlive their killed run"
        time.sleep(0.2)
