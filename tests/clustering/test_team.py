"""Clustering on 2 and 3 gloo ranks against one process."""

from __future__ import annotations

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
    out = tmp_path_factory.mktemp("one")
    code = f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r})\n"
    code += f"from pathlib import Path; import cluster_on_rank as c; c.run(Path({str(out)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
    return torch.load(out / "rank_0.pt", weights_only=True)


@pytest.mark.parametrize("num_ranks", [2, 3])
def test_any_number_of_ranks_gives_the_same_labels(num_ranks, one_rank, tmp_path):
    ranks = outcomes(num_ranks, tmp_path)
    for rank in ranks:
        failure = rank.pop("failing rank")
        assert failure == "The neighbour search failed on rank 1: MemoryError: no room here"
        assert rank.keys() == one_rank.keys()
        for name, expected in one_rank.items():
            if isinstance(expected, str):
                assert rank[name] == expected
            else:
                assert torch.equal(rank[name], expected), name
    assert one_rank["error"] == "KeyError: 'no such clusterer'"
    assert "NaN" in one_rank["error in the search"]
    assert one_rank["coarsest"].max() < one_rank["finest"].max()
