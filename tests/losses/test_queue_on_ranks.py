"""InfoNCE and its queue on two gloo ranks against one process with the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest
import torch

PROGRAM = Path(__file__).with_name("queue_on_rank.py")

pytestmark = pytest.mark.slow


def on_ranks(world: int, folder: Path) -> list[dict]:
    ranks = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(rank), str(world), str(folder)],
            env=dict(os.environ, OMP_NUM_THREADS="1"),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    errors = [process.communicate(timeout=240)[1] for process in ranks]
    assert not any(process.returncode for process in ranks), "\n".join(errors)[-3000:]
    return [torch.load(folder / f"rank_{r}.pt", weights_only=True) for r in range(world)]


def test_ranks_have_the_loss_the_weights_and_the_queue_of_one_process(tmp_path: Path) -> None:
    alone = run_path(str(PROGRAM))["run_both"](rank=0, world=1)
    assert alone["queue"]["queue.label_digits"].any(dim=1).all()  # it is full
    assert alone["queue"]["weight"].ne(alone["without"]["weight"]).any()
    for rank in on_ranks(2, tmp_path):
        for case, expected in alone.items():
            assert rank[case].keys() == expected.keys()
            for name, value in expected.items():
                torch.testing.assert_close(
                    rank[case][name], value, atol=1e-12, rtol=0, msg=f"{case}: {name}"
                )
