"""Exact cosine search among windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_PAIRS = 20_000  # random pairs of windows of different videos
_SLACK = 1e-5  # generous error of float32 products of rows of length 1
_TINY = float(np.finfo(np.float32).tiny)


class Hit(NamedTuple):
    """A moment found by a search.

    Attributes:
        rank: Rank of the moment; 1 is the most similar.
        path: Path of the video, relative to the collection's folder.
        start: Start of the moment in seconds.
        end: End of the moment in seconds.
        cosine: Cosine similarity to the query.
        closer_than: Share of random pairs of windows of different videos that are less similar.
        cluster: Cluster of the window; -1 without one.

    Examples:
        >>> from slic_mmaction.collection import Collection
        >>> hit = Collection("index").search("walk_1.mp4", top=1)[0]
        >>> hit.path, hit.start, hit.end
        ('walk_1_copy.mp4', 0.0, 2.0)
    """

    rank: int
    path: str
    start: float
    end: float
    cosine: float
    closer_than: float
    cluster: int


class Searcher:
    """Search in the vectors of windows, which are in memory in float32.

    Args:
        vectors: (N, D) float32.
        paths: N paths; windows of the same video are consecutive.
        starts: (N,) start of each window in seconds.
        ends: (N,) end of each window in seconds.
        clusters: (N,) int64 cluster of each window.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        paths: Sequence[str],
        starts: np.ndarray,
        ends: np.ndarray,
        clusters: np.ndarray,
    ) -> None:
        self.vectors, self.paths, self.clusters = vectors, paths, clusters
        self.starts, self.ends = starts, ends
        self._units = unit_rows(vectors)
        self._random = random_cosines(vectors, paths)

    def search(self, query: np.ndarray, top: int, left_out: np.ndarray | None = None) -> list[Hit]:
        """Find the ``top`` moments most similar to a vector (D,), best first.

        The search is exact: cosines are compared in float64, and equal ones by path and start. Of
        overlapping windows only the best is a hit.

        Args:
            query: (D,) vector.
            top: Number of hits.
            left_out: (N,) bool, whether a window cannot be a hit.
        """
        unit = query.astype(np.float64)
        unit /= max(float(np.linalg.norm(unit)), _TINY)
        rough = self._units @ unit.astype(np.float32)
        if left_out is not None:
            rough[left_out] = -np.inf
        count = 16 * top
        while True:
            # Windows that overlap a better one are dropped, so more than `top` are compared.
            everything = count >= len(rough)
            cut = -np.inf if everything else float(-np.partition(-rough, count)[count])
            rows = np.flatnonzero((rough >= cut) & (rough > -np.inf))
            hits = self._best(rows, unit, top, cut + _SLACK)
            if len(hits) == top or everything:
                return hits
            count *= 8

    def _best(self, rows: np.ndarray, unit: np.ndarray, top: int, lowest: float) -> list[Hit]:
        """Find hits among some rows with a cosine of at least ``lowest``."""
        exact = self.vectors[rows].astype(np.float64)
        lengths = np.maximum(np.sqrt((exact * exact).sum(1)), _TINY)
        cosines = (exact * unit).sum(1) / lengths
        hits: list[Hit] = []
        # Rows are sorted by path and start, which a stable sort keeps for equal cosines.
        for i in np.argsort(-cosines, kind="stable"):
            row, cosine = int(rows[i]), float(cosines[i])
            if cosine < lowest or len(hits) == top:
                break
            start, end = float(self.starts[row]), float(self.ends[row])
            path = self.paths[row]
            if not any(hit.path == path and start < hit.end and hit.start < end for hit in hits):
                closer = float(np.searchsorted(self._random, cosine)) / max(len(self._random), 1)
                cluster = int(self.clusters[row])
                hits.append(Hit(len(hits) + 1, path, start, end, cosine, closer, cluster))
        return hits


def random_cosines(vectors: np.ndarray, paths: Sequence[str]) -> np.ndarray:
    """Compute cosines of random pairs of windows of different videos, the lowest first.

    Args:
        vectors: (N, D) float32 vectors of the windows.
        paths: Video of each window.

    Returns:
        At most 20,000 cosines; none if there are not two videos.
    """
    a, b = np.random.default_rng(0).integers(0, max(len(paths), 1), (2, _PAIRS))
    pairs = [(i, j) for i, j in zip(a, b) if paths[i] != paths[j]]
    if not pairs:
        return np.empty(0)
    first, second = (unit_rows(vectors[list(rows)]) for rows in zip(*pairs))
    return np.sort((first * second).sum(1))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (N, D) to length 1, in float32; zeros stay zeros."""
    rows = vectors.astype(np.float32, copy=False)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(_TINY))


def windows_between(starts: np.ndarray, ends: np.ndarray, low: float, high: float) -> np.ndarray:
    """Which windows of a video (N,) have their middle between two moments, in seconds.

    If none has, the one with the nearest middle; none at all if the video ends before ``low``.
    """
    middles = (starts + ends) / 2
    within = (middles >= low) & (middles <= high)
    if not within.any() and low < ends.max():
        within[abs(middles - (low + min(high, middles.max())) / 2).argmin()] = True
    return within
