"""One rank of test_all_ranks.py: OUT_DIR. Clusters several sets on all ranks, saves the outcome."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from slic_mmaction.clustering import FINCH, KMeans, cluster_on_all_ranks, finch, neighbors
from slic_mmaction.ranks import gather_rows, on_main, share_of, together


def points(n: int, copies: int = 0) -> torch.Tensor:
    matrix = torch.randn(n, 6, generator=torch.Generator().manual_seed(n))
    matrix[:copies] = matrix[-1]
    return matrix


def fails(matrix: Any) -> np.ndarray:
    raise KeyError("no such clusterer")


CASES: dict[str, tuple[Any, torch.Tensor]] = {
    "coarsest": (FINCH(level=2), points(2600)),
    "finest": (FINCH(metric="euclidean"), points(1301)),
    "a number": (FINCH(num_clusters=20), points(1300)),
    "copies": (FINCH(metric="euclidean"), points(700, copies=300)),
    "all alike": (FINCH(), torch.ones(5, 3)),
    "half precision": (FINCH(), points(100).half()),
    "zero rows": (FINCH(), points(100) * (torch.arange(100) % 3)[:, None]),
    "fewer than ranks": (FINCH(), points(2)),
    "one": (FINCH(), points(1)),
    "k-means": (KMeans(5), points(50)),
    "a function": (lambda matrix: finch(matrix).labels[:, -1], points(50)),
    "error": (fails, points(9)),
    "error in the search": (FINCH(), points(9) * torch.nan),
}


def attempt(work: Callable[[], Any]) -> str:
    try:
        work()
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


def run(out: Path) -> None:
    rank, size = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    outcome: dict[str, Any] = {}
    for name, (clusterer, matrix) in CASES.items():
        try:
            outcome[name] = torch.from_numpy(cluster_on_all_ranks(clusterer, matrix))
        except (KeyError, ValueError) as error:
            outcome[name] = f"{type(error).__name__}: {error}"
    if rank == 0:  # a call on one rank alone must not wait for the others
        finch(points(100))
    for count in (1, 2, 11):
        share = share_of(count, rank, size)
        outcome[f"gathered {count}"] = gather_rows(torch.tensor([[i, i**2] for i in share]))

    def broken(*args: Any) -> Any:
        raise OSError("no room here")

    outcome["main fails"] = attempt(lambda: on_main(broken))
    outcome["from main"] = on_main(lambda: rank)
    if rank == size - 1:
        search = neighbors._Nearest.search
        neighbors._Nearest.search = broken  # type: ignore[method-assign]
    outcome["own failure"] = attempt(lambda: cluster_on_all_ranks(FINCH(), points(2600)))
    if rank == size - 1:
        neighbors._Nearest.search = search  # type: ignore[method-assign]
    # A failure leaves all ranks usable.
    outcome["own result"] = together(lambda: rank)
    outcome["after it"] = torch.from_numpy(cluster_on_all_ranks(FINCH(), points(90)))
    torch.save(outcome, out / f"rank_{rank}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    run(Path(sys.argv[1]))
    dist.barrier()
    dist.destroy_process_group()
