"""Killed at random moments, several times in one run, with another number of workers each time."""

from __future__ import annotations

import random
import re
import signal
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

pytestmark = pytest.mark.faults(full=True)

KILLS = 24


def test_killed_at_random_moments(
    start, fault_config, uninterrupted, outcome_of, tmp_path: Path
) -> None:
    rng = random.Random(0)

    def train(work_dir: Path, kill_after: float, *resume: str) -> tuple[int, str]:
        workers = rng.choice((0, 1, 2))
        config = fault_config(
            train_dataloader__num_workers=workers,
            train_dataloader__persistent_workers=workers == 2,
            val_dataloader__num_workers=workers,
            hooks=[dict(type="KillAt", cpu_seconds=kill_after)],
        )
        return start(config, work_dir, *resume).end()

    code, output = train(tmp_path / "whole", kill_after=0)
    assert code == 0, output[-3000:]
    assert outcome_of(tmp_path / "whole") == uninterrupted
    (length,) = map(float, re.findall(r"PROCESSOR TIME (.*)", output))

    kills = runs = 0
    while kills < KILLS:
        work_dir, resume = tmp_path / f"run_{runs}", []
        while (ended := train(work_dir, rng.uniform(0.01, length), *resume))[0] != 0:
            assert ended[0] == -signal.SIGPROF, ended[1][-3000:]
            kills, resume = kills + 1, ["--resume"]
        assert outcome_of(work_dir) == uninterrupted
        for file in work_dir.rglob("events.out.tfevents.*"):
            EventAccumulator(str(file)).Reload()
        runs += 1
    assert runs > 1
