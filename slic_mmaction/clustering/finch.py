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
        labels: (N, P) int64, column p the labels of level p, 0 .. num_clusters[p] - 1 in order
            of first appearance.
        num_clusters: (P,) int64.
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
    """Cluster by connected components of first-neighbour links, level upon level.

    Sarfraz, Sharma, Stiefelhagen: "Efficient Parameter-free Clustering Using First Neighbor
    Relations", CVPR 2019. Level 0 links every point with its nearest other point; each further
    level does the same with the means of the original embeddings of the clusters so far. With
    early exit, the longest weighted link of level 0 is a limit, and longer links of later levels
    are removed before components are taken. A level of one cluster, or one that merges nothing,
    ends the hierarchy and is dropped (unless it is level 0); a level that merges exactly one
    cluster is the last.

    Early exit and the end of the hierarchy are not in the paper and implementations differ; this
    follows the one SLIC was trained with (it keeps a level that merges one cluster,
    ``finch-clust`` drops it).

    Args:
        embeddings: (N, D) array or tensor, N >= 1, memory-mapped or not.
        metric: ``'cosine'`` or ``'euclidean'``.
        num_levels: Stop after this many levels; None goes on to the end.
        early_exit: Whether long links of later levels are removed.
        neighbors: (N,) int64 first neighbours of the embeddings; None searches them.

    Returns:
        Labels and numbers of clusters. One point gives one level with one cluster.

    Raises:
        ValueError: If an embedding is not finite or an option is out of range.
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
    """One level of :func:`finch`, or a requested number of clusters, as a configurable clusterer.

    Args:
        level: 0 is the finest, SLIC's choice (CVPR 2022).
        num_clusters: Instead of a level, merge the coarsest one that has enough clusters down to
            this many (:func:`.merging.merge_to`). If level 0 has fewer, it is level 0, with a
            warning: a training of days must not end at its last clustering.
        metric: ``'cosine'`` or ``'euclidean'``.
        early_exit: Whether long links of later levels are removed.

    Raises:
        ValueError: If an option is out of range.
    """

    level: int = 0
    num_clusters: int | None = None
    metric: str = "cosine"
    early_exit: bool = True

    def __post_init__(self) -> None:
        if self.level < 0 or self.metric not in METRICS:
            raise ValueError(
                f"{self} cannot work: it needs level >= 0 and one of {', '.join(METRICS)}."
            )
        if self.num_clusters is not None and (self.num_clusters < 1 or self.level):
            raise ValueError(
                f"{self} cannot work: ask for at least one cluster, and for either a number or a "
                "level."
            )

    def __call__(self, embeddings: Array, neighbors: np.ndarray | None = None) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64.

        Where the hierarchy ends before ``level``, its last level is used, with a warning.

        Args:
            embeddings: (N, D) array or tensor.
            neighbors: (N,) int64 first neighbours of the embeddings; None searches them.
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
