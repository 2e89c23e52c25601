"""One rank of test_team.py: OUT_DIR. Clusters several sets on all ranks and saves what came out."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from slic_mmaction.clustering import cluster_on_all_ranks, finch
from slic_mmaction.clustering.kmeans import KMeans
from slic_mmaction.clustering.team import current_team

search_together = import_module("slic_mmaction.clustering.search_together")


def points(n: int, copies: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(n)
    matrix = torch.randn(n, 6, generator=generator)
    matrix[:copies] = matrix[-1]
    return matrix


def coarsest(matrix: Any) -> np.ndarray:
    return finch(matrix).labels[:, -1]


def finest(matrix: Any) -> np.ndarray:
    return finch(matrix, "euclidean", 1, precision="float32").labels[:, 0]


def bfloat16(matrix: Any) -> np.ndarray:
    return finch(matrix, num_levels=1, backend="torch", precision="bfloat16").labels[:, 0]


def faiss(matrix: Any) -> np.ndarray:
    return finch(matrix, num_levels=2, backend="faiss").labels[:, -1]


def of_other_points(matrix: Any) -> np.ndarray:
    """The search is not in what every rank has, so it must be sent."""
    return finch(matrix.flip(0).double() + 1, num_levels=1).labels[:, 0]


def fails(matrix: Any) -> np.ndarray:
    raise KeyError("no such clusterer")


def fails_within_the_search(matrix: Any) -> np.ndarray:
    return finch(matrix * torch.nan).labels[:, 0]


CASES: dict[str, tuple[Any, torch.Tensor]] = {
    "coarsest": (coarsest, points(2600)),
    "finest": (finest, points(1301)),
    "copies": (finest, points(700, copies=300)),
    "all alike": (coarsest, torch.ones(5, 3)),
    "half precision": (finest, points(100).half()),
    "bfloat16": (bfloat16, points(2600)),
    "other points": (of_other_points, points(300)),
    "fewer than ranks": (finest, points(2)),
    "one": (coarsest, points(1)),
    "k-means": (KMeans(5), points(50)),
    "error": (fails, points(9)),
    "error in the search": (fails_within_the_search, points(9)),
}


def run(out: Path) -> None:
    outcome: dict[str, Any] = {}
    cases = dict(CASES)
    try:
        import faiss as _  # noqa: F401

        cases["faiss"] = (faiss, points(1301))
    except ImportError:
        print("faiss is not installed")
    for name, (clusterer, matrix) in cases.items():
        try:
            outcome[name] = torch.from_numpy(cluster_on_all_ranks(clusterer, matrix))
        except (KeyError, ValueError) as error:
            outcome[name] = f"{type(error).__name__}: {error}"
        assert current_team() is None
    rank = dist.get_rank() if dist.is_initialized() else 0
    if dist.is_initialized():
        outcome["failing rank"] = failing_rank(rank)
        assert torch.equal(slow_leader(), torch.from_numpy(finest(points(50))))
    torch.save(outcome, out / f"rank_{rank}.pt")


def slow_leader() -> torch.Tensor:
    """Rank 0 works for longer than the time-out between two searches; the others must wait."""

    def slow(matrix: Any) -> np.ndarray:
        finest(matrix)
        time.sleep(15)
        return finest(matrix)

    return torch.from_numpy(cluster_on_all_ranks(slow, points(50), timedelta(seconds=10)))


def failing_rank(rank: int) -> str:
    """A rank that fails in its share must stop the others, too, and leave them usable."""

    def broken(rows: Any) -> Any:
        raise MemoryError("no room here")

    real = search_together.find_duplicates
    if rank == 1:
        search_together.find_duplicates = broken
    message = "nothing was raised"
    try:
        cluster_on_all_ranks(finest, points(9))
    except RuntimeError as error:
        message = str(error)
    search_together.find_duplicates = real
    assert (cluster_on_all_ranks(finest, points(9)) == finest(points(9))).all()
    return message


if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    run(Path(sys.argv[1]))
    dist.barrier()
    dist.destroy_process_group()
