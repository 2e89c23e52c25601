"""Clustering on 2 and 3 gloo ranks against one process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

PROGRAM = Path(__file__).with_name("cluster_on_rank.py")

pytestmark = pytest.mark.slow


def outcomes(num_ranks: int, out: Path) -> list[dict]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc_per_node={num_ranks}", str(PROGRAM), str(out)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(out / f"rank_{r}.pt", weights_only=True) for r in range(num_ranks)]


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory) -> dict:
    """Without torch.distributed."""
    spec = importlib.util.spec_from_file_location("cluster_on_rank", PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    out = tmp_path_factory.mktemp("one")
    program.run(out)
    return torch.load(out / "rank_0.pt", weights_only=True)


@pytest.mark.parametrize("num_ranks", [2, 3])
def test_any_number_of_ranks_gives_the_same_labels(num_ranks, one_rank, tmp_path):
    for number, rank in enumerate(outcomes(num_ranks, tmp_path)):
        failed = "OSError: no room here"
        others = f"RuntimeError: Rank {num_ranks - 1} failed: {failed}"
        assert rank.pop("own failure") == (failed if number == num_ranks - 1 else others)
        assert rank.pop("own result") == number
        assert rank.keys() == one_rank.keys() - {"own failure", "own result"}
        for name, found in rank.items():
            if isinstance(found, torch.Tensor):
                assert torch.equal(found, one_rank[name]), name
            else:
                assert found == one_rank[name], name


def test_the_outcome_of_one_process(one_rank):
    assert one_rank["error"] == "KeyError: 'no such clusterer'"
    assert "NaN" in one_rank["error in the search"]
    assert one_rank["main fails"] == "OSError: no room here" and one_rank["from main"] == 0
    assert one_rank["gathered 11"].tolist() == [[i, i**2] for i in range(11)]
    assert one_rank["coarsest"].max() < one_rank["finest"].max()
