"""Complete linkage up to a threshold, from the pairs of points nearer than it."""

from __future__ import annotations

import numpy as np

from .near_pairs import near_pairs, pair_distances
from .prepared_rows import PreparedRows

# At the peak, while clusters are merged (measured: 246 MiB for 2.0 million pairs).
BYTES_PER_PAIR = 130


class TooManyPairs(Exception):
    """More pairs are near than memory was allowed for."""


def complete_linkage(rows: PreparedRows, threshold: float, max_bytes: int) -> np.ndarray:
    """Merge the two clusters whose farthest points are nearest until none are below a threshold.

    Clusters merged below the threshold have no pair of points at or above it, so pairs nearer
    than it say all: two clusters can only be merged if all pairs between them are known. As with
    average linkage, all pairs of mutually nearest clusters are merged at once.

    Args:
        rows: N different rows.
        threshold: Clusters with a pair this far apart or farther are not merged.
        max_bytes: Memory for the pairs.

    Returns:
        (N,) int64, the lowest row of the cluster.

    Raises:
        TooManyPairs: If they need more than that.
    """
    i, j, distance = _pairs_below(rows, threshold, max_bytes // BYTES_PER_PAIR)
    pairs = np.ones(len(i), dtype=np.int64)  # Of points, between clusters i < j.
    sizes = np.ones(len(rows), dtype=np.int64)
    cluster = np.arange(len(rows))
    while len(i):
        kept, gone = _mutually_nearest(i, j, distance, len(rows))
        sizes[kept] += sizes[gone]
        merged = np.arange(len(rows))
        merged[gone] = kept
        cluster = merged[cluster]
        i, j, distance, pairs = _contracted(merged[i], merged[j], distance, pairs)
        whole = pairs == sizes[i] * sizes[j]
        i, j, distance, pairs = i[whole], j[whole], distance[whole], pairs[whole]
    return cluster


def _pairs_below(
    rows: PreparedRows, threshold: float, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs i < j, (P,) each, nearer than a threshold, and their distances (P,) float64."""
    none = np.empty(0, dtype=np.int64)
    found = [(none, none, np.empty(0))]
    count = 0
    for i, j in near_pairs(rows, float(np.nextafter(threshold, -1))):
        count += len(i)
        if count > most:
            raise TooManyPairs
        distance = pair_distances(rows, i, j)
        found.append((i.cpu().numpy(), j.cpu().numpy(), distance.cpu().numpy()))
    firsts, seconds, distances = (np.concatenate(parts) for parts in zip(*found))
    return firsts, seconds, distances


def _mutually_nearest(
    i: np.ndarray, j: np.ndarray, distance: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of nodes (M,) < (M,) that are each other's nearest, the lowest of equally near ones."""
    least = np.full(size, np.inf)
    nearest = np.full(size, size)
    for node in (i, j):
        np.minimum.at(least, node, distance)
    for node, other in ((i, j), (j, i)):
        best = distance == least[node]
        np.minimum.at(nearest, node[best], other[best])
    linked = (nearest < size).nonzero()[0]
    other = nearest[linked]
    mutual = (nearest[other] == linked) & (linked < other)
    return linked[mutual], other[mutual]


def _contracted(
    i: np.ndarray, j: np.ndarray, distance: np.ndarray, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Edges of merged nodes: the largest distance of parallel ones, and all their pairs."""
    i, j = np.minimum(i, j), np.maximum(i, j)
    between = i != j
    i, j, distance, pairs = i[between], j[between], distance[between], pairs[between]
    if not len(i):
        return i, j, distance, pairs
    order = np.lexsort((j, i))
    i, j, distance, pairs = i[order], j[order], distance[order], pairs[order]
    starts = np.flatnonzero(np.append(True, (np.diff(i) != 0) | (np.diff(j) != 0)))
    most, total = np.maximum.reduceat(distance, starts), np.add.reduceat(pairs, starts)
    return i[starts], j[starts], most, total
