"""Compare the cost of first neighbours and FINCH with bare matrix products and finch-clust.

All run in turn in one process on the same points, with one thread, after a first call for warm-up.
The lowest CPU time of several rounds is compared, because a busy machine disturbs wall time more.
Memory is the peak above that before the call. ``products`` are the float32 matrix products alone,
of each pair of blocks of 1,024 rows once, because distances are symmetric.

    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/clustering.py
    ... python benchmarks/clustering.py --cases finch-20k --rounds 5
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from slic_mmaction.clustering import finch, first_neighbors
from slic_mmaction.durable_file import write_text

RESULTS = Path(__file__).parent / "results" / "clustering.json"
DIM = 128
BLOCK = 1024


def mixture(n: int) -> Tensor:
    """Draw (n, 128) float32 points in overlapping groups of thirty on average."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(max(1, n // 30), DIM, generator=generator)
    own = torch.randint(len(centers), (n,), generator=generator)
    return centers[own] + 0.7 * torch.randn(n, DIM, generator=generator)


def memory(field: str) -> float:
    """Read a field of this process's memory in MiB."""
    status = Path("/proc/self/status").read_text()
    return float(status.split(f"{field}:")[1].split()[0]) / 1024


def measured(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return a result, and its CPU seconds, wall seconds and additional peak memory (MiB)."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # starts a new peak
    before = memory("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    cost = dict(cpu_s=time.process_time() - cpu, wall_s=time.perf_counter() - wall)
    return result, dict(cost, peak_mib=memory("VmHWM") - before)


def in_turn(ways: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict, dict]:
    """Run functions in turn, and return their last results and lowest costs."""
    results: dict[str, Any] = {}
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            results[name], cost = measured(work)
            costs[name].append(cost)
    return results, {
        name: {key: round(min(cost[key] for cost in own), 3) for key in own[0]}
        for name, own in costs.items()
    }


def products(points: Tensor) -> None:
    """Multiply each pair of blocks once."""
    blocks = points.split(BLOCK)
    out = torch.empty(BLOCK, BLOCK)
    for i, left in enumerate(blocks):
        for right in blocks[i:]:
            torch.mm(left, right.t(), out=out[: len(left), : len(right)])


def finch_clust(points: Tensor) -> np.ndarray:
    """Compute all levels with finch-clust, with exact neighbours."""
    from finch import FINCH

    return FINCH(points.numpy(), ann_threshold=len(points), verbose=False, random_state=0)[0]


def neighbors(n: int, rounds: int) -> dict[str, Any]:
    """Measure the first neighbours of n points."""
    points = mixture(n)
    first_neighbors(points[:20_000])
    ways = {"products": lambda: products(points), "ours": lambda: first_neighbors(points)}
    costs = in_turn(ways, rounds)[1]
    return dict(costs, times_products=costs["ours"]["cpu_s"] / costs["products"]["cpu_s"])


def finch_20k(rounds: int) -> dict[str, Any]:
    """Measure FINCH on 20,000 points, with early exit as in SLIC, and without as in finch-clust."""
    points = mixture(20_000)
    ways: dict[str, Callable[[], Any]] = {
        "products": lambda: products(points),
        "ours": lambda: finch(points),
        "ours_no_early_exit": lambda: finch(points, early_exit=False).labels,
        "finch_clust": lambda: finch_clust(points),
    }
    in_turn(ways, 1)
    results, costs = in_turn(ways, rounds)
    ours, theirs = results["ours_no_early_exit"], results["finch_clust"]
    levels = range(min(ours.shape[1], theirs.shape[1]))
    return dict(
        costs,
        times_products=costs["ours"]["cpu_s"] / costs["products"]["cpu_s"],
        times_faster_than_finch_clust=costs["finch_clust"]["cpu_s"] / costs["ours"]["cpu_s"],
        memory_share=costs["ours"]["peak_mib"] / costs["finch_clust"]["peak_mib"],
        ari_per_level=[float(adjusted_rand_score(theirs[:, p], ours[:, p])) for p in levels],
    )


CASES: dict[str, Callable[[int], dict[str, Any]]] = {
    "finch-20k": finch_20k,
    "neighbors-60k": lambda rounds: neighbors(60_000, rounds),
    "neighbors-240k": lambda rounds: neighbors(240_000, max(1, rounds // 2)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    report = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in args.cases:
        versions = dict(torch=torch.__version__, numpy=np.__version__)
        report[name] = dict(CASES[name](args.rounds), machine=platform.machine(), **versions)
        print(name, json.dumps(report[name], indent=1), flush=True)
        write_text(RESULTS, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
