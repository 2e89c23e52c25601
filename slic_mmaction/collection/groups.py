"""How far windows are from the means of clusters, and to which of them a new video belongs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NOISE = -1
_SAMPLE = 2000  # windows whose nearest neighbours say what is far in a collection
_FAR = 0.99  # share of them that have a nearer neighbour


class Assignment(NamedTuple):
    """Where a new video belongs.

    Attributes:
        path: Of the video.
        cluster: The one whose mean is nearest; -1 if the video cannot be read.
        distance: 1 - cosine to that mean.
        nearest: The most similar video of the collection.
        known: Whether that video is as near as those of the collection are to each other.
        error: Why an unreadable video has no cluster.
    """

    path: str
    cluster: int
    distance: float
    nearest: str
    known: bool
    error: str


def distances_to_means(vectors: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """1 - cosine of each vector (N, D) to its cluster's mean; (N,) float32, NaN for noise."""
    means = cluster_means(vectors, cluster)
    inside = cluster != NOISE
    distance = np.full(len(vectors), np.nan, np.float32)
    distance[inside] = 1 - (_units(vectors[inside]) * means[cluster[inside]]).sum(1)
    return distance


def cluster_means(vectors: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Means (K, D) of vectors of length 1, made of length 1 again, by cluster 0..K-1."""
    sums = np.zeros((int(cluster.max(initial=NOISE)) + 1, vectors.shape[1]))
    inside = cluster != NOISE
    np.add.at(sums, cluster[inside], _units(vectors[inside]))
    return _units(sums)


class ClusterJudge:
    """Compares new videos with the clusters of a collection.

    Args:
        vectors: (N, D) of windows.
        paths: Their videos; windows of one video stand together.
        cluster: (N,) int64.

    Raises:
        ValueError: If there are no clusters.
    """

    def __init__(self, vectors: np.ndarray, paths: Sequence[str], cluster: np.ndarray) -> None:
        if not (cluster != NOISE).any():
            raise ValueError("This collection has no clusters yet: `slic clusters` makes them.")
        self.paths = paths
        self.means = cluster_means(vectors, cluster)
        self.units = _units(vectors)
        self.far = self._far()

    def assign(self, path: str, vectors: np.ndarray, error: str = "") -> Assignment:
        """The cluster of a video by the mean of its windows' vectors (W, D)."""
        if error:
            return Assignment(path, NOISE, float("nan"), "", False, error)
        unit = _units(vectors.mean(axis=0, keepdims=True))[0]
        to_means = self.means @ unit
        similarity = self.units @ unit
        nearest = int(similarity.argmax())
        return Assignment(
            path,
            int(to_means.argmax()),
            float(1 - to_means.max()),
            self.paths[nearest],
            bool(1 - similarity[nearest] <= self.far),
            "",
        )

    def _far(self) -> float:
        """The distance that nearly all windows have a neighbour of another video within."""
        chosen = np.random.default_rng(0).permutation(len(self.paths))[:_SAMPLE]
        paths = np.unique(self.paths, return_inverse=True)[1]
        nearest = []
        for part in np.array_split(chosen, max(1, len(chosen) // 100)):
            similarity = self.units[part] @ self.units.T
            similarity[paths[part][:, None] == paths] = -np.inf
            nearest.append(1 - similarity.max(axis=1))
        distances = np.concatenate(nearest)
        finite = distances[np.isfinite(distances)]
        return float(np.quantile(finite, _FAR)) if len(finite) else 0.0


def _units(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
