"""Mutual information of two partitions, adjusted for chance, without a term for every pair."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import xlog1py
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

# Elements of one temporary array: 2 MB of float64.
_BLOCK_ELEMENTS = 1 << 18
# Overlaps with a smaller share of the probability than exp(-2 * 35) = 4e-31 are left out.
_TAIL = 35.0


def expected_mutual_information(row_sizes: np.ndarray, column_sizes: np.ndarray) -> float:
    """Mutual information that two random partitions with clusters of these sizes share.

    Vinh, Epps, Bailey: "Information Theoretic Measures for Clusterings Comparison", JMLR 2010,
    eq. 24a: the overlap of two clusters is hypergeometric. As it depends on the two sizes only,
    each pair of different sizes is worked out once. N points have at most sqrt(2N) different
    sizes, so memory is O(sqrt(N)) and time O(N^1.5) at worst, whatever the number of clusters.

    The probabilities come from their ratios and are divided by their sum: factorials of N, as
    in the paper's formula, would cost log10(N log N) of float64's 16 digits.

    Args:
        row_sizes (np.ndarray): (R,) points in each cluster of one partition, all >= 1.
        column_sizes (np.ndarray): (C,) the same for the other one, with the same sum N.

    Returns:
        float: The expectation in nats, to about 1e-12 of itself.
    """
    total = int(row_sizes.sum())
    sides = [np.unique(sizes, return_counts=True) for sizes in (row_sizes, column_sizes)]
    few, many = sorted(sides, key=lambda side: len(side[0]))
    expected = 0.0
    for size, times in zip(*few):
        expected += float(times) * float(_overlap_terms(int(size), many[0], total) @ many[1])
    return expected / total


def _overlap_terms(size: int, sizes: np.ndarray, total: int) -> np.ndarray:
    """E[n log(n / E[n])] of the overlap n of a cluster of ``size`` with one of each of ``sizes``.

    Args:
        size (int): a.
        sizes (np.ndarray): (K,) values of b.
        total (int): N.

    Returns:
        np.ndarray: (K,) float64, N times the summands of the expectation.
    """
    mean = size * (sizes / total)
    smaller = np.minimum(size, sizes)
    # Hoeffding's bound holds without replacement: P(|n - mean| >= t) <= 2 exp(-2 t^2 / smaller).
    reach = np.sqrt(_TAIL * smaller)
    first = np.maximum(np.maximum(0, size + sizes - total), np.floor(mean - reach))
    width = (np.minimum(smaller, np.ceil(mean + reach)) - first + 1).astype(np.int64)

    terms = np.empty(len(sizes))
    order = np.argsort(-width, kind="stable")
    done = 0
    while done < len(order):
        widest = int(width[order[done]])
        rows = order[done : done + max(1, _BLOCK_ELEMENTS // widest)]
        n = first[rows, None] + np.arange(widest)
        probability = _hypergeometric(n, float(size), sizes[rows, None].astype(float), total)
        # As E[n] is the mean, n - mean may be taken off; what is left is never negative.
        excess = n - mean[rows, None]
        terms[rows] = (probability * (xlog1py(n, excess / mean[rows, None]) - excess)).sum(1)
        done += len(rows)
    return terms


def _hypergeometric(n: np.ndarray, a: float, b: np.ndarray, total: int) -> np.ndarray:
    """Probabilities of overlaps, consecutive along a row; 0 for those that are impossible."""
    log_weight = np.zeros_like(n)
    n = n[:, :-1]
    left = np.maximum(a - n, 0) * np.maximum(b - n, 0)
    with np.errstate(divide="ignore"):
        log_ratio = np.log(left / ((n + 1) * (total - a - b + n + 1)))
    np.cumsum(log_ratio, axis=1, out=log_weight[:, 1:])
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def mutual_information_scores(table: csr_matrix) -> tuple[float, float]:
    """Normalised and adjusted mutual information, equal to scikit-learn's.

    Both are divided by the arithmetic mean of the two entropies, AMI after the expectation was
    taken off numerator and denominator.

    Args:
        table (csr_matrix): (R, C) integers, points that two clusters have in common, no row or
            column empty; from ``sklearn.metrics.cluster.contingency_matrix(sparse=True)``.

    Returns:
        tuple[float, float]: NMI and AMI. Of two equal partitions both are 1; of one with N or
        with 1 clusters and any other, AMI is 0.
    """
    rows, columns = (np.asarray(table.sum(axis=axis)).ravel() for axis in (1, 0))
    total = int(rows.sum())
    if table.nnz == len(rows) == len(columns):
        return 1.0, 1.0
    shared = float(mutual_info_score(None, None, contingency=table))
    entropies = float(entropy(rows) + entropy(columns)) / 2
    trivial = {len(rows), len(columns)} & {1, total}
    if trivial:
        # Every shuffle shares as much, which the difference of two floats would miss a little.
        return shared / entropies, 0.0
    expected = expected_mutual_information(rows, columns)
    return shared / entropies, (shared - expected) / (entropies - expected)
