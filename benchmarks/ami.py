"""Time and memory of adjusted mutual information, ours and scikit-learn's.

Both get the same labels; CPU seconds of one thread and growth of the resident set above what
was there before, each the median of ``--repeats`` calls in turn. scikit-learn's expectation has
a term for every pair of clusters and overlap. Where that would take hours it is extrapolated by
the number of terms from the measured case above, and marked so.

    OMP_NUM_THREADS=1 python benchmarks/ami.py --out benchmarks/results/ami.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from slic_mmaction.clustering.mutual_information import mutual_information_scores

Score = Callable[[np.ndarray, np.ndarray], float]


def ours(labels: np.ndarray, classes: np.ndarray) -> float:
    """AMI as ``cluster_quality`` takes it."""
    return mutual_information_scores(contingency_matrix(classes, labels, sparse=True))[1]


def theirs(labels: np.ndarray, classes: np.ndarray) -> float:
    """AMI of scikit-learn."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")
        return adjusted_mutual_info_score(classes, labels)


def noisy_clusters(num_points: int, num_clusters: int, num_classes: int) -> np.ndarray:
    """Labels (N,) and classes (N,): clusters of skewed sizes, a third of the points astray."""
    rng = np.random.default_rng(0)
    weight = rng.gamma(1.0, size=num_clusters)
    labels = rng.choice(num_clusters, size=num_points, p=weight / weight.sum())
    classes = rng.integers(num_classes, size=num_clusters)[labels]
    astray = rng.random(num_points) < 1 / 3
    classes[astray] = rng.integers(num_classes, size=int(astray.sum()))
    return np.stack([labels, classes])


def staircases(num_points: int) -> np.ndarray:
    """Two partitions with as many different sizes as there can be: 1, 2, 3, ..."""
    sizes = np.arange(1, int((2 * num_points) ** 0.5))
    labels = np.repeat(np.arange(len(sizes) + 1), [*sizes, num_points - sizes.sum()])
    return np.stack([labels, np.random.default_rng(0).permutation(labels)])


def sklearn_terms(labels: np.ndarray, classes: np.ndarray) -> int:
    """Terms of scikit-learn's sum: for all pairs of clusters the smaller of their sizes."""
    rows = np.sort(np.unique(labels, return_counts=True)[1])
    columns = np.unique(classes, return_counts=True)[1]
    below = np.searchsorted(rows, columns)
    return int((np.r_[0, np.cumsum(rows)][below] + columns * (len(rows) - below)).sum())


def measure(score: Score, labels: np.ndarray, classes: np.ndarray) -> tuple[float, float, float]:
    """AMI, CPU seconds, and MiB by which the resident set grew at its highest."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
    before = peak_mib()
    start = time.process_time()
    value = score(labels, classes)
    return value, time.process_time() - start, peak_mib() - before


def peak_mib() -> float:
    """Highest resident set so far (Linux), in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def compare(name: str, pair: np.ndarray, scores: list[Score], repeats: int) -> dict[str, Any]:
    """Figures of ours and, if it is among ``scores``, of scikit-learn; medians."""
    rounds = [[measure(score, *pair) for score in scores] for _ in range(repeats)]
    found = [[statistics.median(column) for column in zip(*runs)] for runs in zip(*rounds)]
    result: dict[str, Any] = {"case": name, "sklearn_terms": sklearn_terms(*pair)}
    for score, (ami, seconds, growth) in zip(("ours", "sklearn"), found):
        result[f"{score}_ami"] = ami
        result[f"{score}_cpu_s"] = seconds
        result[f"{score}_growth_mib"] = growth
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", help="also write the result to this JSON file")
    args = parser.parse_args()

    both: list[Score] = [ours, theirs]
    # The last of those that scikit-learn does sets the time of its terms in those it does not.
    cases: list[tuple[str, np.ndarray, list[Score]]] = [
        ("20,000 points, 5,000 clusters, 400 classes", noisy_clusters(20_000, 5_000, 400), both),
        ("240,000, 60,000 clusters, 400 classes", noisy_clusters(240_000, 60_000, 400), both),
        ("20,000, 5,000 and 5,000 clusters", noisy_clusters(20_000, 5_000, 5_000), both),
        ("240,000, 60,000 and 60,000 clusters", noisy_clusters(240_000, 60_000, 60_000), [ours]),
        ("240,000, clusters of 1, 2, ..., 691 twice", staircases(240_000), [ours]),
    ]
    for score in both:
        score(*cases[0][1][:, :100])
    results: list[dict[str, Any]] = []
    seconds_per_term = 0.0
    for name, pair, scores in cases:
        result = compare(name, pair, scores, args.repeats)
        result["sklearn_extrapolated"] = "sklearn_cpu_s" not in result
        if result["sklearn_extrapolated"]:
            result["sklearn_cpu_s"] = seconds_per_term * result["sklearn_terms"]
            note = "extrapolated"
        else:
            seconds_per_term = result["sklearn_cpu_s"] / result["sklearn_terms"]
            difference = result["ours_ami"] - result["sklearn_ami"]
            note = f"{result['sklearn_growth_mib']:.0f} MiB, AMI differs by {difference:.0e}"
        result["ratio"] = result["sklearn_cpu_s"] / result["ours_cpu_s"]
        results.append(result)
        print(
            f"{name}: ours {result['ours_cpu_s']:.3f} s, {result['ours_growth_mib']:.0f} MiB; "
            f"scikit-learn {result['sklearn_cpu_s']:.3g} s ({note}), "
            f"{result['ratio']:.0f} times as long",
            flush=True,
        )
    if args.out:
        machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
        content = {"machine": machine, "scikit-learn": sklearn.__version__, "cases": results}
        with open(args.out + ".tmp", "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
        os.replace(args.out + ".tmp", args.out)


if __name__ == "__main__":
    main()
