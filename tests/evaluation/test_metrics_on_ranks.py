"""Figures of 2 and 3 gloo ranks are those of one process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("work_on_rank.py")


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory) -> dict:
    spec = importlib.util.spec_from_file_location("work_on_rank", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = tmp_path_factory.mktemp("one")
    module.run(out)
    return torch.load(out / "rank_0.pt", weights_only=True)


@pytest.mark.parametrize("num_ranks", [2, 3])
def test_ranks_find_what_one_process_finds(num_ranks: int, one_rank: dict, tmp_path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc_per_node={num_ranks}", str(PROGRAM), str(tmp_path)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for rank in range(num_ranks):
        got = torch.load(tmp_path / f"rank_{rank}.pt", weights_only=True)
        assert got["figures"] == one_rank["figures"]
    assert (tmp_path / "n.npz").is_file()
