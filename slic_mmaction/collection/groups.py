"""Clustering windows, distances to cluster means, and assigning new videos to clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

import numpy as np

from .search import unit_rows

NOISE = -1
_VIDEOS_IN_A_CLUSTER = 5
_SAMPLE = 2000  # number of windows from which the largest usual distance is estimated
_FAR = 0.99  # quantile of the distances to their nearest neighbours


class Assignment(NamedTuple):
    """The cluster of a new video.

    Attributes:
        path: Path of the video.
        cluster: Cluster with the nearest mean; -1 if the video cannot be read.
        distance: Cosine distance to that mean.
        nearest: Path of the most similar video of the collection.
        known: Whether the distance to that video is usual between videos of the collection.
        error: Reason why the video cannot be read, or ''.
    """

    path: str
    cluster: int
    distance: float
    nearest: str
    known: bool
    error: str


def distances_to_means(vectors: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Compute the cosine distance of each vector (N, D) to its cluster's mean, NaN for noise."""
    means = cluster_means(vectors, cluster)
    inside = cluster != NOISE
    distance = np.full(len(vectors), np.nan, np.float32)
    distance[inside] = 1 - (unit_rows(vectors[inside]) * means[cluster[inside]]).sum(1)
    return distance


def cluster_means(vectors: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Average the normalised vectors of clusters 0..K-1, and normalise the means (K, D)."""
    sums = np.zeros((int(cluster.max(initial=NOISE)) + 1, vectors.shape[1]))
    inside = cluster != NOISE
    np.add.at(sums, cluster[inside], unit_rows(vectors[inside]))
    return unit_rows(sums)


class ClusterJudge:
    """Assignment of new videos to the clusters of a collection.

    Args:
        vectors: (N, D) vectors of windows.
        paths: Video of each window; windows of the same video are consecutive.
        cluster: (N,) int64 cluster of each window.

    Raises:
        ValueError: If there are no clusters.
    """

    def __init__(self, vectors: np.ndarray, paths: Sequence[str], cluster: np.ndarray) -> None:
        if not (cluster != NOISE).any():
            raise ValueError("This collection has no clusters yet: `slic clusters` makes them.")
        self.paths = paths
        self.means = cluster_means(vectors, cluster)
        self.units = unit_rows(vectors)
        self.far = self._far()

    def assign(self, path: str, vectors: np.ndarray, error: str = "") -> Assignment:
        """Find the cluster of a video by the mean of its windows' vectors (W, D)."""
        if error:
            return Assignment(path, NOISE, float("nan"), "", False, error)
        unit = unit_rows(vectors.mean(axis=0, keepdims=True))[0]
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
        """Compute the 0.99 quantile of the distances to the nearest window of another video."""
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


def cluster_windows(
    vectors: np.ndarray, num_videos: int, clusterer: Mapping[str, Any] | None
) -> np.ndarray:
    """Cluster vectors (N, D) and return labels (N,); see :meth:`Collection.cluster`."""
    if clusterer is None:
        from ..clustering import finch

        result = finch(vectors)
        few = np.flatnonzero(result.num_clusters <= num_videos / _VIDEOS_IN_A_CLUSTER)
        return result.labels[:, few[0] if len(few) else -1]
    from mmaction.registry import TASK_UTILS

    kind = TASK_UTILS.get(clusterer["type"])
    if not isinstance(kind, type):  # MMEngine also finds modules
        raise ValueError(
            f"There is no clusterer {clusterer['type']}: choose FINCH, KMeans, "
            "SphericalKMeans, DBSCAN, OPTICS or AgglomerativeClustering."
        )
    options = signature(kind).parameters
    unknown = [name for name in clusterer if name not in (*options, "type")]
    if unknown:
        raise ValueError(
            f"{clusterer['type']} has no option {unknown[0]}, but has {', '.join(options)}."
        )
    return TASK_UTILS.build(dict(clusterer))(vectors)
