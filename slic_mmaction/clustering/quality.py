"""Numbering of cluster labels, and figures of their quality, balance and stability."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

NOISE = -1

# scikit-learn takes a tenth of this package's import time, and most tools never compare
# partitions, so it is imported in the functions that do.


def cluster_quality(labels: np.ndarray, true_labels: np.ndarray | None = None) -> dict[str, float]:
    """Measure the sizes of clusters, and their agreement with true labels if given.

    Noise points (-1) belong to no cluster. For the agreement, each noise point counts as a
    cluster of its own, so that labelling all points as noise does not raise the AMI.

    Args:
        labels: (N,) integers, N >= 1; < 0 is noise.
        true_labels: (N,) integers, for reports only.

    Returns:
        ``clusters`` and ``noise`` (counts), ``singletons`` (share of points, 0..1, that are alone
        in their cluster; noise does not count), ``largest`` and ``median`` (points per cluster; 0
        without clusters). With true labels also ``nmi`` and ``ami`` (by scikit-learn, with the
        arithmetic mean of the entropies) and ``purity`` (share of points in the most frequent
        class of their cluster).

    Raises:
        ValueError: If there are no labels or their shapes differ.

    Examples:
        >>> from slic_mmaction.clustering import cluster_quality
        >>> quality = cluster_quality(np.array([0, 0, 1, 1, -1]), np.array([5, 5, 5, 7, 7]))
        >>> quality["clusters"], quality["noise"], quality["purity"]
        (2.0, 1.0, 0.8)
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
            f"Cluster labels have the shape {labels.shape}, but true labels {true_labels.shape}: "
            "give one true label for each point."
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
    """Silence scikit-learn's warning that many small clusters look like a regression target."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")
        yield


def renumber(labels: np.ndarray) -> np.ndarray:
    """Number labels (N,) as 0, 1, ... by first appearance; noise (< 0) becomes -1."""
    numbered = np.full(len(labels), NOISE, dtype=np.int64)
    member = labels >= 0
    _, first, inverse = np.unique(labels[member], return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbered[member] = rank[inverse.reshape(-1)]
    return numbered


def cluster_sizes(labels: np.ndarray) -> np.ndarray:
    """Count the points of each cluster of labels (N,), without noise (< 0): (C,) int64."""
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"Cluster labels need the shape (N,) with N >= 1, but got {labels.shape}.")
    return np.unique(labels[labels >= 0], return_counts=True)[1]


def noise_apart(labels: np.ndarray) -> np.ndarray:
    """Put each noise point (< 0) of labels (N,) into a cluster of its own."""
    apart = labels.max(initial=0) + 1 + np.arange(len(labels))
    return np.where(labels < 0, apart, labels)


def size_histogram(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the clusters of labels (N,) by size, in bins that double; noise does not count.

    Returns edges (B + 1,) int64, 1, 2, 4, ..., and counts (B,) int64: ``counts[b]`` clusters have
    edges[b] <= size < edges[b + 1]. The last count is not 0. B is 0 if all points are noise.
    """
    sizes = cluster_sizes(labels)
    # frexp gives size = fraction * 2^exponent with 0.5 <= fraction < 1, without rounding.
    counts = np.bincount(np.frexp(sizes)[1] - 1)
    return 2 ** np.arange(len(counts) + 1, dtype=np.int64), counts


def size_bins(labels: np.ndarray) -> dict[str, int]:
    """Count clusters by size as :func:`size_histogram`, with keys ``'1'``, ``'2-3'``, ``'4-7'``."""
    edges, counts = size_histogram(labels)
    names = [
        str(low) if high - low == 1 else f"{low}-{high - 1}"
        for low, high in itertools.pairwise(edges)
    ]
    return dict(zip(names, counts.tolist()))


def cluster_stability(previous: np.ndarray, current: np.ndarray) -> float:
    """Compute the adjusted Rand index of two clusterings of the same points.

    It is 1 if the partitions are equal and about 0 for random ones (Hubert and Arabie: "Comparing
    partitions", Journal of Classification 1985). NMI would hide changes, because partitions into
    many small clusters always share most of their entropy. Each noise point counts as a cluster
    of its own.
    """
    from sklearn.metrics import adjusted_rand_score

    with _many_clusters():
        return float(adjusted_rand_score(noise_apart(previous), noise_apart(current)))
