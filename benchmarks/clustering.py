"""Time first neighbours and FINCH against finch-clust, faiss and the bare matrix products.

Ours and the peer take turns in one process on the same points, with one thread. CPU time is
what is compared (a busy machine disturbs wall time more); memory is the peak above what the
process held before. ``floor`` is the time of the matrix products alone that the symmetry of the
distance leaves, in blocks of the best size for this machine.

    python benchmarks/clustering.py                # every case but the million, about 25 minutes
    python benchmarks/clustering.py --cases exact-20k million
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score

from slic_mmaction.clustering import finch, first_neighbors

RESULTS = Path(__file__).parent / "results" / "clustering.json"
DIM = 128


def mixture(n: int, seed: int = 0, noise: float = 0.7) -> np.ndarray:
    """(n, 128) float32: groups of thirty points on average, that overlap."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(max(1, n // 30), DIM, generator=generator)
    own = torch.randint(len(centers), (n,), generator=generator)
    return (centers[own] + noise * torch.randn(n, DIM, generator=generator)).numpy()


def measured(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Result, and CPU seconds, wall seconds and peak memory (MiB) above the start."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # starts a new peak
    before = memory("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    cost = dict(cpu_s=time.process_time() - cpu, wall_s=time.perf_counter() - wall)
    return result, dict(cost, peak_mib=memory("VmHWM") - before)


def memory(field: str) -> float:
    status = Path("/proc/self/status").read_text()
    return float(status.split(f"{field}:")[1].split()[0]) / 1024


def in_turn(ways: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict, dict]:
    """Last results and median costs of ways that take turns."""
    results: dict[str, Any] = {}
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            results[name] = None
            results[name], cost = measured(work)
            costs[name].append(cost)
    return results, {
        name: {key: round(statistics.median(c[key] for c in own), 3) for key in own[0]}
        for name, own in costs.items()
    }


def finch_clust(points: np.ndarray, threshold: int) -> np.ndarray:
    """All levels of finch-clust, exact up to ``threshold`` points."""
    from finch import FINCH

    return FINCH(points, ann_threshold=threshold, verbose=False, random_state=0)[0]


def approximate_level(points: np.ndarray) -> np.ndarray:
    """Level 0 labels of finch-clust's approximate path, and nothing of the other levels."""
    from finch.finch import clust_rank, get_clust

    return get_clust(clust_rank(points, ann_threshold=10_000, random_state=0)[0], [])[0]


def first_level(points: np.ndarray, **options: Any) -> np.ndarray:
    return finch(points, num_levels=1, **options).labels[:, 0]


def floor(n: int, block: int) -> float:
    """CPU seconds of the matrix products for n points, each pair of blocks once."""
    left, right = torch.randn(block, DIM), torch.randn(block, DIM)
    out = torch.empty(block, block)
    repeats = max(20, (1 << 28) // block**2)
    start = time.process_time()
    for _ in range(repeats):
        torch.mm(left, right.t(), out=out)
    return (time.process_time() - start) / repeats * (n / block) * (n / block + 1) / 2


def exact_20k(rounds: int) -> dict[str, Any]:
    """All levels of 20,000 points: finch-clust's exact path."""
    points = mixture(20_000)
    ways = {
        "ours": lambda: finch(points, early_exit=False).labels,
        "finch_clust": lambda: finch_clust(points, 20_000),
    }
    labels, costs = in_turn(ways, rounds)
    levels = min(labels["ours"].shape[1], labels["finch_clust"].shape[1])
    agreement = [
        round(float(adjusted_rand_score(labels["finch_clust"][:, p], labels["ours"][:, p])), 6)
        for p in range(levels)
    ]
    ratio = costs["finch_clust"]["cpu_s"] / costs["ours"]["cpu_s"]
    share = costs["ours"]["peak_mib"] / costs["finch_clust"]["peak_mib"]
    return dict(costs, times_faster=ratio, memory_share=share, ari_per_level=agreement)


def first_50k(rounds: int) -> dict[str, Any]:
    """First level of 50,000 points: finch-clust's approximate path."""
    return _first_level(mixture(50_000), rounds)


def first_240k(rounds: int) -> dict[str, Any]:
    """First level of 240,000 points, exactly and in random cells."""
    points = mixture(240_000)
    return _first_level(points, 1, approximate=lambda: first_level(points, approximate_above=0))


def _first_level(points: np.ndarray, rounds: int, **more: Any) -> dict[str, Any]:
    # A first call compiles, in every process anew.
    compiling = measured(lambda: approximate_level(points[:12_000]))[1]
    ways = {
        "ours": lambda: first_level(points),
        "finch_clust": lambda: approximate_level(points),
        **more,
    }
    labels, costs = in_turn(ways, rounds)
    for name, cost in costs.items():
        cost["ari_to_exact"] = float(adjusted_rand_score(labels["ours"], labels[name]))
        cost["times_finch_clust"] = cost["cpu_s"] / costs["finch_clust"]["cpu_s"]
    return dict(costs, finch_clust_first_call_on_12000=compiling)


def neighbors_240k(rounds: int) -> dict[str, Any]:
    """First neighbours of 240,000 points against the products alone, and the peers' searches."""
    points = mixture(240_000)
    n = len(points)
    block = min((512, 1024, 2048, 4096), key=lambda size: floor(n, size))
    ways: dict[str, Callable[[], Any]] = {"floor before": lambda: floor(n, block)}
    for precision in ("float32", "bfloat16"):
        ways[precision] = partial(first_neighbors, points, backend="torch", precision=precision)
    ways["floor after"] = lambda: floor(n, block)
    results, costs = in_turn(ways, 1)
    bound = (results["floor before"] + results["floor after"]) / 2
    report: dict[str, Any] = dict(block=block, floor_cpu_s=bound)
    for precision in ("float32", "bfloat16"):
        report[precision] = dict(costs[precision], times_floor=costs[precision]["cpu_s"] / bound)
    report["same_result"] = bool((results["float32"] == results["bfloat16"]).all())
    return report


def million(rounds: int) -> dict[str, Any]:
    """First level of 1,000,000 points, exactly and in random cells, on all cores."""
    torch.set_num_threads(os.cpu_count() or 1)
    points = mixture(1_000_000)
    ways = {
        "exact": lambda: first_level(points),
        "approximate": lambda: first_level(points, approximate_above=0),
    }
    labels, costs = in_turn(ways, 1)
    costs["approximate"]["ari_to_exact"] = float(
        adjusted_rand_score(labels["exact"], labels["approximate"])
    )
    return dict(costs, input_mib=points.nbytes / 2**20, clusters=int(labels["exact"].max()) + 1)


CASES = {
    "exact-20k": exact_20k,
    "first-50k": first_50k,
    "neighbors-240k": neighbors_240k,
    "first-240k": first_240k,
    "million": million,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES)[:-1])
    parser.add_argument("--rounds", type=int, default=3, help="of the smaller cases")
    args = parser.parse_args()
    torch.set_num_threads(1)
    report = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in args.cases:
        report[name] = CASES[name](args.rounds)
        report[name]["machine"] = (
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
        )
        report[name]["versions"] = dict(torch=torch.__version__, numpy=np.__version__)
        print(name, json.dumps(report[name], indent=1))
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
