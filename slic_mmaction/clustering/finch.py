"""FINCH: parameter-free clustering by first-neighbour relations."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from mmaction.registry import TASK_UTILS
from mmengine.logging import print_log

from ..nearest import METRICS, Array, check_matrix
from .links import cluster_sums, components, weighted_links
from .merging import merge_to
from .neighbors import first_neighbors


class FinchResult(NamedTuple):
    """Partitions from fine to coarse.

    Attributes:
        labels: (N, P) int64. Column p has the labels of level p, from 0 to num_clusters[p] - 1,
            in order of first appearance.
        num_clusters: (P,) int64, the number of clusters of each level.

    Examples:
        >>> from slic_mmaction.clustering import finch
        >>> points = np.array([[0.0], [1.0], [10.0], [11.0], [100.0], [101.0], [110.0], [111.0]])
        >>> labels, num_clusters = finch(points, metric="euclidean", early_exit=False)
        >>> num_clusters
        array([4, 2])
        >>> labels[:, 1]
        array([0, 0, 0, 0, 1, 1, 1, 1])
    """

    labels: np.ndarray
    num_clusters: np.ndarray


def finch(
    embeddings: Array,
    metric: str = "cosine",
    num_levels: int | None = None,
    early_exit: bool = True,
    neighbors: np.ndarray | None = None,
) -> FinchResult:
    """Cluster by the connected components of first-neighbour links, level by level.

    FINCH is from Sarfraz, Sharma, Stiefelhagen: "Efficient Parameter-free Clustering Using First
    Neighbor Relations", CVPR 2019. Level 0 links every point with its nearest other point. Each
    further level links the means of the previous level's clusters in the same way. With early
    exit, links of later levels that are longer than the longest weighted link of level 0 are
    removed before the components are computed. The hierarchy ends before a level of one cluster
    or one that merges nothing (but level 0 is always kept), and after a level that merges
    exactly one cluster.

    Early exit and the end of the hierarchy are not in the paper, and implementations differ.
    This one follows the implementation that SLIC was trained with. ``finch-clust`` drops a level
    that merges exactly one cluster.

    Args:
        embeddings: (N, D) array or tensor, N >= 1, memory-mapped or not.
        metric: ``'cosine'`` or ``'euclidean'``.
        num_levels: Largest number of levels; None for all.
        early_exit: Whether to remove long links of later levels.
        neighbors: (N,) int64 first neighbours of the embeddings; None to search them.

    Returns:
        Labels and numbers of clusters. One point gives one level with one cluster.

    Raises:
        ValueError: If an embedding is not finite or an option is out of range.

    Examples:
        >>> from slic_mmaction.clustering import finch
        >>> embeddings = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
        >>> result = finch(embeddings)
        >>> result.labels[:, 0]  # of level 0, the finest
        array([0, 0, 1, 1])
    """
    matrix = check_matrix(embeddings, metric)
    if num_levels is not None and num_levels < 1:
        raise ValueError(f"finch needs num_levels >= 1 or None, but got {num_levels}.")
    if len(matrix) == 1:
        return FinchResult(np.zeros((1, 1), dtype=np.int64), np.ones(1, dtype=np.int64))
    if neighbors is None:
        neighbors = first_neighbors(matrix, metric)
    levels = [components(matrix, neighbors, metric)]
    counts = [int(levels[0].max()) + 1]
    limit = None
    if early_exit and len(matrix) > 2 and num_levels != 1:
        links = weighted_links(matrix, neighbors, metric)
        limit = max(length.max(initial=0.0) for _, _, length in links)
    while counts[-1] > 1 and len(levels) != num_levels:
        sums = cluster_sums(matrix, levels[-1], counts[-1])
        means = torch.from_numpy(sums / np.bincount(levels[-1])[:, None]).to(matrix.device)
        merged = components(means, first_neighbors(means, metric), metric, limit)
        count = int(merged.max()) + 1
        if count == 1 or count == counts[-1]:
            break
        levels.append(merged[levels[-1]])
        counts.append(count)
        if counts[-2] - count == 1:
            break
    return FinchResult(np.stack(levels, axis=1), np.array(counts, dtype=np.int64))


@TASK_UTILS.register_module()
@dataclass(eq=False)
class FINCH:
    """Clusterer that returns one level of :func:`finch`, or a requested number of clusters.

    Args:
        level: Level of the hierarchy. 0 is the finest, SLIC's choice (CVPR 2022, section 4).
        num_clusters: Number of clusters, instead of a level. The coarsest level that has enough
            clusters is merged down to this number (:func:`.merging.merge_to`). If level 0 has
            fewer clusters, level 0 is returned with a warning, so that a long training does not
            fail at a late clustering.
        metric: ``'cosine'`` or ``'euclidean'``.
        early_exit: Whether to remove long links of later levels.

    Raises:
        ValueError: If an option is out of range.

    Examples:
        >>> from mmaction.registry import TASK_UTILS
        >>> clusterer = TASK_UTILS.build(dict(type="FINCH", level=0))
        >>> clusterer(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]))
        array([0, 0, 1, 1])
    """

    level: int = 0
    num_clusters: int | None = None
    metric: str = "cosine"
    early_exit: bool = True

    def __post_init__(self) -> None:
        if self.level < 0 or self.metric not in METRICS:
            raise ValueError(
                f"Invalid options {self}: level must be >= 0, and metric one of "
                f"{', '.join(METRICS)}."
            )
        if self.num_clusters is not None and (self.num_clusters < 1 or self.level):
            raise ValueError(
                f"Invalid options {self}: num_clusters must be >= 1, and cannot be combined with "
                "level."
            )

    def __call__(self, embeddings: Array, neighbors: np.ndarray | None = None) -> np.ndarray:
        """Cluster embeddings.

        If the hierarchy ends before ``level``, its last level is used, with a warning.

        Args:
            embeddings: (N, D) array or tensor.
            neighbors: (N,) int64 first neighbours of the embeddings; None to search them.

        Returns:
            (N,) int64 labels.
        """
        number = self.num_clusters
        num_levels = self.level + 1 if number is None else None
        result = finch(embeddings, self.metric, num_levels, self.early_exit, neighbors)
        enough = result.num_clusters >= (number or 0)
        if number is not None and enough.any():
            coarsest = result.labels[:, np.flatnonzero(enough)[-1]]
            return merge_to(coarsest, check_matrix(embeddings, self.metric), number, self.metric)
        last, warning = len(result.num_clusters) - 1, ""
        if number is not None:
            last = 0
            warning = (
                f"FINCH was asked for num_clusters={number}, but its finest level has "
                f"{result.num_clusters[0]} and it only merges: using that level. Ask for fewer, "
                "or use KMeans."
            )
        elif last < self.level:
            warning = (
                f"FINCH found {last + 1} level(s), so level {self.level} does not exist: "
                f"using level {last} with {result.num_clusters[last]} clusters."
            )
        if warning:
            print_log(warning, logger="current", level=logging.WARNING)
        return result.labels[:, last]
