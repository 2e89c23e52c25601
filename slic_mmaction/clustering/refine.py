"""A requested number of clusters, by merging those of a level of FINCH pair by pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist

from ..progress import track
from .embeddings import METRICS, renumber, unit_rows

_BLOCK_ELEMENTS = 1 << 22


def level_to_refine(num_clusters_per_level: Sequence[int], num_clusters: int) -> int:
    """The coarsest level that has at least the requested number of clusters.

    Args:
        num_clusters_per_level (Sequence[int]): (P,) from fine to coarse.
        num_clusters (int): The request.

    Returns:
        int: The level, from which :func:`merge_to` goes on.

    Raises:
        ValueError: If the request is below 1 or above the finest level's number.
    """
    finest = int(num_clusters_per_level[0])
    if not 1 <= num_clusters <= finest:
        raise ValueError(
            f"FINCH was asked for num_clusters={num_clusters}, but its finest level has {finest} "
            f"clusters and it only merges: ask for 1 to {finest}, or use KMeans."
        )
    return max(p for p, count in enumerate(num_clusters_per_level) if count >= num_clusters)


def merge_to(
    labels: np.ndarray, embeddings: np.ndarray, num_clusters: int, metric: str = "cosine"
) -> np.ndarray:
    """Merge the two clusters with the closest means, again and again.

    Algorithm 2 ("required number of clusters") of Sarfraz et al., CVPR 2019: of all
    first-neighbour links of the cluster means only the shortest is kept, its two clusters are
    merged, and the mean of all their points takes part in the next step.

    Where the paper's code searches all pairs of means for every merge, here each cluster keeps
    its nearest later cluster, and its distance as a lower bound once that one has moved or gone;
    it is looked for anew when it comes up as the closest (Müllner, "Modern hierarchical,
    agglomerative clustering algorithms", arXiv 1109.2378, generic algorithm). For C clusters
    that is O(C D) memory and, for each merge, as a rule O(C D) time.

    Args:
        labels (np.ndarray): (N,) integers, the clusters to start from.
        embeddings (np.ndarray): (N, D) floats, memory-mapped or not; they are averaged as they
            are, in float64, and with the cosine metric only means are normalised.
        num_clusters (int): At least 1, at most the number of clusters in ``labels``.
        metric (str): ``'cosine'`` or ``'euclidean'``.

    Returns:
        np.ndarray: (N,) int64 labels of exactly ``num_clusters`` clusters, numbered by first
        appearance. Of equally close pairs the one whose clusters appear first
        is merged, up to float64's rounding.

    Raises:
        ValueError: If there are fewer clusters than requested, the request is below 1, the
            metric is unknown or shapes differ.
    """
    labels = renumber(np.asarray(labels))
    count = int(labels.max(initial=-1)) + 1
    if metric not in METRICS:
        raise ValueError(f"Unknown metric {metric!r}: choose 'cosine' or 'euclidean'.")
    if embeddings.ndim != 2 or len(embeddings) != len(labels):
        raise ValueError(
            f"merge_to needs one label for each of (N, D) embeddings, but got {len(labels)} "
            f"labels and embeddings of shape {embeddings.shape}."
        )
    if not 1 <= num_clusters <= count:
        raise ValueError(
            f"merge_to can make 1 to {count} clusters of {count} by merging, but not "
            f"{num_clusters}."
        )
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
    """Means of clusters, and for each its nearest later one.

    Attributes:
        points: (C, D) float64 of which distances are taken: means, or their directions.
        alive: (C,) whether a cluster has not been merged into an earlier one.
        nearest: (C,) the nearest later cluster.
        bound: (C,) the distance to it, inf without one; where ``stale``, no later cluster is
            nearer than that, but some may be as near.
    """

    def __init__(self, labels: np.ndarray, embeddings: np.ndarray, metric: str) -> None:
        self.metric = metric
        self.sizes = np.bincount(labels)
        count = len(self.sizes)
        self.sums = np.zeros((count, embeddings.shape[1]))
        step = max(1, _BLOCK_ELEMENTS // embeddings.shape[1])
        for start in range(0, len(labels), step):
            own = labels[start : start + step]
            members = csr_matrix((np.ones(len(own)), (own, np.arange(len(own)))), (count, len(own)))
            self.sums += members @ embeddings[start : start + step]
        self.points = self._points(slice(None))
        self.alive = np.ones(count, dtype=bool)
        self.stale = np.zeros(count, dtype=bool)
        self.nearest = np.zeros(count, dtype=np.int64)
        self.bound = np.full(count, np.inf)
        step = max(1, _BLOCK_ELEMENTS // count)
        starts = range(0, count, step)
        for start in track(starts, len(starts), "Searching the closest clusters"):
            self._find_nearest(slice(start, start + step))

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
        # What lies below a bound is nearer than anything else; at a bound there is a tie.
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
        return unit_rows(torch.from_numpy(means)).numpy() if self.metric == "cosine" else means

    def _distances(self, rows: slice, columns: slice) -> np.ndarray:
        """Distances (R, C) of clusters; inf to those that are gone."""
        x, y = self.points[rows], self.points[columns]
        distances = 1 - x @ y.T if self.metric == "cosine" else cdist(x, y)
        distances[:, ~self.alive[columns]] = np.inf
        return distances
