"""Cluster labels: their numbering, and how good, how balanced and how stable they are."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

NOISE = -1

# What compares partitions comes with scikit-learn, a tenth of the time in which this package is
# imported, and most tools never compare any: its imports are in the functions that do.


def cluster_quality(labels: np.ndarray, true_labels: np.ndarray | None = None) -> dict[str, float]:
    """Sizes of clusters, and agreement with true labels where there are any.

    Points labelled -1 are noise. They count in no cluster size; for the agreement each noise
    point is a cluster of its own, so that calling everything noise earns nothing from AMI.

    Args:
        labels: (N,) integers, N >= 1; < 0 is noise.
        true_labels: (N,) integers, only to report with.

    Returns:
        ``clusters`` and ``noise`` (counts), ``singletons`` (share of points, 0..1, that are alone
        in their cluster; noise is not), ``largest`` and ``median`` (points per cluster; 0 without
        clusters); with true labels also ``nmi`` and ``ami`` (by scikit-learn, with the arithmetic
        mean of the entropies) and ``purity`` (share of points of their cluster's commonest class).

    Raises:
        ValueError: If there are no labels or their shapes differ.
    """
    sizes = cluster_sizes(labels)
    quality = {
        "clusters": float(len(sizes)),
        "noise": float(len(labels) - sizes.sum()),
        "singletons": float((sizes == 1).sum()) / len(labels),
        "largest": float(sizes.max(initial=0)),
        "median": float(np.median(sizes)) if len(sizes) else 0.0,
    }
    if true_labels is None:
        return quality
    if true_labels.shape != labels.shape:
        raise ValueError(
            f"Cluster labels {labels.shape} have true labels of another shape {true_labels.shape}."
        )
    from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score
    from sklearn.metrics.cluster import contingency_matrix

    apart = noise_apart(labels)
    with _many_clusters():
        quality["nmi"] = float(normalized_mutual_info_score(true_labels, apart))
        quality["ami"] = float(adjusted_mutual_info_score(true_labels, apart))
        table = contingency_matrix(true_labels, apart, sparse=True)
    quality["purity"] = float(table.max(axis=0).sum()) / len(labels)
    return quality


@contextmanager
def _many_clusters() -> Iterator[None]:
    """Without the warning that many small clusters look like a regression target."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")
        yield


def renumber(labels: np.ndarray) -> np.ndarray:
    """Labels (N,) int64 numbered 0, 1, ... by first appearance; noise (< 0) becomes -1."""
    numbered = np.full(len(labels), NOISE, dtype=np.int64)
    member = labels >= 0
    _, first, inverse = np.unique(labels[member], return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbered[member] = rank[inverse.reshape(-1)]
    return numbered


def cluster_sizes(labels: np.ndarray) -> np.ndarray:
    """Points (C,) int64 in each cluster, by label, of labels (N,); noise (< 0) is left out."""
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"Cluster labels have shape (N,) with N >= 1, but got {labels.shape}.")
    return np.unique(labels[labels >= 0], return_counts=True)[1]


def noise_apart(labels: np.ndarray) -> np.ndarray:
    """Labels (N,) with each noise point (< 0) in a cluster of its own."""
    apart = labels.max(initial=0) + 1 + np.arange(len(labels))
    return np.where(labels < 0, apart, labels)


def size_histogram(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of clusters by size, in bins that double, of labels (N,); noise has no size.

    Returns edges (B + 1,) int64, 1, 2, 4, ..., and counts (B,) int64: ``counts[b]`` clusters have
    edges[b] <= size < edges[b + 1]. The last is not 0; B = 0 if everything is noise.
    """
    sizes = cluster_sizes(labels)
    # frexp gives size = fraction * 2^exponent with 0.5 <= fraction < 1, without rounding.
    counts = np.bincount(np.frexp(sizes)[1] - 1)
    return 2 ** np.arange(len(counts) + 1, dtype=np.int64), counts


def size_bins(labels: np.ndarray) -> dict[str, int]:
    """:func:`size_histogram` for people: clusters by ``'1'``, ``'2-3'``, ``'4-7'``, ..."""
    edges, counts = size_histogram(labels)
    names = [
        str(low) if high - low == 1 else f"{low}-{high - 1}"
        for low, high in itertools.pairwise(edges)
    ]
    return dict(zip(names, counts.tolist()))


def cluster_stability(previous: np.ndarray, current: np.ndarray) -> float:
    """Adjusted Rand index of two clusterings of the same points.

    Hubert and Arabie: "Comparing partitions", Journal of Classification 1985. NMI would hide
    change: partitions into many small clusters share most of their entropy anyway. Each noise
    point counts as a cluster of its own. 1 if nothing changed but names, about 0 if by chance.
    """
    from sklearn.metrics import adjusted_rand_score

    with _many_clusters():
        return float(adjusted_rand_score(noise_apart(previous), noise_apart(current)))
