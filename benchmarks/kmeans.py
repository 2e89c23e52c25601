"""Time k-means against scikit-learn's and faiss's, at the inertia that each reaches.

All get the same points, one thread and one start, and take turns. CPU time is reported: on a
shared machine it is the steadier figure. ``product_s`` is the time of the one N x K x D matrix
product that a plain assignment of all points needs, the yardstick for any of them. faiss trains
on at most 256 points per centre and for 25 iterations, its defaults.

    OMP_NUM_THREADS=1 python benchmarks/kmeans.py
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Callable

import numpy as np
import sklearn
import torch
from sklearn import cluster

from slic_mmaction.clustering import kmeans

RESULTS = Path(__file__).parent / "results"


def inertia(points: np.ndarray, labels: np.ndarray) -> float:
    """Sum of squared distances of points from the means of their clusters."""
    order = labels.argsort(kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    sums = np.add.reduceat(points[order].astype(np.float64), starts, axis=0)
    counts = np.diff(np.append(starts, len(points)))
    return float((points.astype(np.float64) ** 2).sum() - ((sums**2).sum(1) / counts).sum())


def ours(points: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    return kmeans(points, clusters, seed=seed)


def ours_random(points: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    return kmeans(points, clusters, init="random", seed=seed)


def scikit_learn(points: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    return cluster.KMeans(clusters, n_init=1, random_state=seed).fit_predict(points)


def scikit_learn_elkan(points: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    model = cluster.KMeans(clusters, n_init=1, algorithm="elkan", random_state=seed)
    return model.fit_predict(points)


def faiss_kmeans(points: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    import faiss

    model = faiss.Kmeans(points.shape[1], clusters, seed=seed + 1)
    model.train(points)
    return model.index.search(points, 1)[1][:, 0]


def product(points: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    rows, centers = torch.from_numpy(points), torch.from_numpy(points[:clusters])
    for block in rows.split(1024):
        block @ centers.t()
    return np.zeros(len(points), dtype=np.int64)


METHODS = (ours, ours_random, scikit_learn, scikit_learn_elkan, faiss_kmeans, product)


def measure(
    method: Callable[[np.ndarray, int, int], np.ndarray],
    points: np.ndarray,
    clusters: int,
    seed: int,
) -> tuple[float, float, float]:
    """CPU seconds, MiB of memory at the peak above those before, and inertia of one run."""
    Path("/proc/self/clear_refs").write_text("5")  # The peak starts at the present size.
    before, start = _memory("VmRSS"), time.process_time()
    labels = method(points, clusters, seed)
    seconds = time.process_time() - start
    return seconds, _memory("VmHWM") - before, inertia(points, labels)


def _memory(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def run(num_points: int = 50_000, dim: int = 128, clusters: int = 1000, repeats: int = 3) -> dict:
    """Measure all methods on a mixture of as many Gaussians as clusters and on a single one.

    Returns:
        dict: For each data set and method the median CPU seconds, the peak memory in MiB and the
        mean inertia as a ratio to scikit-learn's, and scikit-learn's CPU time over ours.
    """
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((num_points, dim)).astype(np.float32)
    groups = rng.standard_normal((clusters, dim)).astype(np.float32)
    data = {"mixture": noise + groups[rng.integers(clusters, size=num_points)], "gaussian": noise}
    result: dict = dict(
        points=num_points,
        dim=dim,
        clusters=clusters,
        repeats=repeats,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        scikit_learn=sklearn.__version__,
    )
    for name, points in data.items():
        rounds = [[measure(m, points, clusters, seed) for m in METHODS] for seed in range(repeats)]
        table = {}
        for method, runs in zip(METHODS, zip(*rounds)):
            seconds, memory, inertias = zip(*runs)
            table[method.__name__] = dict(
                cpu_s=statistics.median(seconds),
                peak_mib=max(memory),
                inertia=statistics.mean(inertias),
            )
        reference = table["scikit_learn"]["inertia"]
        for row in table.values():
            row["inertia_ratio"] = row.pop("inertia") / reference
        result["product_s"] = table.pop("product")["cpu_s"]
        speed = table["scikit_learn"]["cpu_s"] / table["ours"]["cpu_s"]
        result[name] = dict(table, scikit_learn_over_ours=speed)
        for title, row in table.items():
            print(
                f"{name:10}{title:20}{row['cpu_s']:8.2f} s{row['peak_mib']:8.0f} MiB"
                f"   inertia {row['inertia_ratio']:.4f}"
            )
        print(f"{name:10}scikit-learn takes {speed:.1f} times as long as ours")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "kmeans.json")
    args = parser.parse_args()
    result = run(args.points, args.dim, args.clusters, args.repeats)
    temporary = args.out.with_name(args.out.name + ".tmp")
    temporary.write_text(json.dumps(result, indent=2) + "\n")
    os.replace(temporary, args.out)


if __name__ == "__main__":
    main()
