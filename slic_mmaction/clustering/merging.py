"""Merging the clusters of a level of FINCH, pair by pair, to a requested number."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from ..nearest import exact_rows, row_blocks
from ..progress import track
from .links import cluster_sums
from .quality import renumber

_BLOCK_ELEMENTS = 1 << 22


def merge_to(
    labels: np.ndarray, embeddings: Tensor, num_clusters: int, metric: str = "cosine"
) -> np.ndarray:
    """Repeatedly merge the two clusters with the closest means.

    This is algorithm 2 ("required number of clusters") of Sarfraz et al., CVPR 2019: each step
    keeps only the shortest first-neighbour link of the cluster means and merges its two clusters.
    The next step uses the mean of all their points.

    Each cluster stores its nearest later cluster and the distance to it. When that cluster has
    changed, the distance is a lower bound (generic algorithm of Müllner, arXiv 1109.2378). For C
    clusters this needs O(C D) memory and, typically, O(C D) time per merge.

    Args:
        labels: (N,) integers, the initial clusters.
        embeddings: (N, D) floats. They are averaged in float64 without normalisation; with the
            cosine metric only means are normalised.
        num_clusters: At least 1, at most the number of clusters in ``labels``.
        metric: ``'cosine'`` or ``'euclidean'``.

    Returns:
        (N,) int64 labels of exactly ``num_clusters`` clusters, numbered by first appearance. Of
        equally close pairs (up to float64's rounding), the one that appears first is merged.
    """
    labels = renumber(labels)
    count = int(labels.max()) + 1
    if count == num_clusters:
        return labels
    clusters = _Clusters(labels, embeddings, metric)
    owner = np.arange(count)
    merges = count - num_clusters
    for _ in track(range(merges), merges, "Merging the closest clusters"):
        kept, gone = clusters.merge_closest()
        owner[gone] = kept
    while (owner != owner[owner]).any():
        owner = owner[owner]
    return renumber(owner[labels])


class _Clusters:
    """Means of C clusters, and the nearest later cluster of each.

    Attributes:
        points: (C, D) float64 means, of length 1 for the cosine metric.
        alive: (C,) bool, whether a cluster has not been merged into an earlier one.
        nearest: (C,) int64, the nearest later cluster.
        bound: (C,) float64, the distance to it; inf without one. Where ``stale`` is true it is
            only a lower bound for the distances of later clusters.
    """

    def __init__(self, labels: np.ndarray, embeddings: Tensor, metric: str) -> None:
        self.metric = metric
        self.sizes = np.bincount(labels)
        count = len(self.sizes)
        self.sums = cluster_sums(embeddings, labels, count)
        self.points = self._points(slice(None))
        self.alive = np.ones(count, dtype=bool)
        self.stale = np.zeros(count, dtype=bool)
        self.nearest = np.zeros(count, dtype=np.int64)
        self.bound = np.full(count, np.inf)
        blocks = row_blocks(count, count, _BLOCK_ELEMENTS)
        for rows in track(blocks, len(blocks), "Searching the closest clusters"):
            self._find_nearest(rows)

    def merge_closest(self) -> tuple[int, int]:
        """Merge the two closest clusters into the earlier one; returns the earlier and later."""
        while self.stale[self.bound.argmin()]:
            closest = int(self.bound.argmin())
            self._find_nearest(slice(closest, closest + 1))
        kept = int(self.bound.argmin())
        gone = int(self.nearest[kept])
        own, earlier = slice(kept, kept + 1), slice(0, kept)
        self.alive[gone] = False
        self.bound[gone] = np.inf
        self.sizes[kept] += self.sizes[gone]
        self.sums[kept] += self.sums[gone]
        self.points[own] = self._points(own)

        self.stale |= (self.nearest == kept) | (self.nearest == gone)
        distances = self._distances(own, earlier)[0]
        # A distance below the bound is the smallest; one at the bound is a tie.
        closer = distances < self.bound[earlier]
        self.stale[earlier] |= distances == self.bound[earlier]
        self.stale[earlier] &= ~closer
        self.bound[earlier][closer] = distances[closer]
        self.nearest[earlier][closer] = kept
        self._find_nearest(own)
        return kept, gone

    def _find_nearest(self, rows: slice) -> None:
        """Find the nearest later cluster of some rows."""
        distances = self._distances(rows, slice(rows.start, None))
        distances[np.tril_indices(len(distances), 0, distances.shape[1])] = np.inf
        nearest = distances.argmin(axis=1)
        self.nearest[rows] = rows.start + nearest
        self.bound[rows] = distances[np.arange(len(distances)), nearest]
        self.stale[rows] = False

    def _points(self, rows: slice) -> np.ndarray:
        means = self.sums[rows] / self.sizes[rows, None]
        return exact_rows(torch.from_numpy(means), self.metric).numpy()

    def _distances(self, rows: slice, columns: slice) -> np.ndarray:
        """Compute the distances (R, C) of clusters; inf to merged ones."""
        x, y = self.points[rows], self.points[columns]
        distances = 1 - x @ y.T if self.metric == "cosine" else cdist(x, y)
        distances[:, ~self.alive[columns]] = np.inf
        return distances
