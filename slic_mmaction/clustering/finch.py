"""FINCH: parameter-free clustering by first-neighbour relations."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from mmaction.registry import TASK_UTILS
from mmengine.logging import print_log
from torch import Tensor

from .cluster_means import cluster_means
from .embeddings import METRICS, Embeddings, check_matrix
from .links import components, weighted_links
from .neighbors import first_neighbors
from .prepared_rows import PreparedRows
from .refine import level_to_refine, merge_to
from .search import check_options


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
    embeddings: Embeddings,
    metric: str = "cosine",
    num_levels: int | None = None,
    early_exit: bool = True,
    backend: str = "auto",
    precision: str = "auto",
    approximate_above: int | None = None,
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
        backend: Neighbour search, see :func:`~slic_mmaction.clustering.first_neighbors`.
        precision: Likewise.
        approximate_above: Likewise.

    Returns:
        Labels and numbers of clusters. One point gives one level with one cluster.

    Raises:
        ValueError: If an embedding is not finite or an option is out of range.
    """
    matrix = check_matrix(embeddings, metric)
    if num_levels is not None and num_levels < 1:
        raise ValueError(f"finch needs num_levels >= 1 or None, but got {num_levels}.")
    check_options(metric, backend, precision)
    if len(matrix) == 1:
        return FinchResult(np.zeros((1, 1), dtype=np.int64), np.ones(1, dtype=np.int64))

    def search(points: Tensor) -> np.ndarray:
        return first_neighbors(points, metric, backend, precision, approximate_above)

    neighbors = search(matrix)
    rows = PreparedRows(matrix, metric)
    levels = [components(rows, neighbors, None)]
    counts = [int(levels[0].max()) + 1]
    limit = None
    if early_exit and len(matrix) > 2 and num_levels != 1:
        limit = max(length.max(initial=0.0) for _, _, length in weighted_links(rows, neighbors))
    while counts[-1] > 1 and len(levels) != num_levels:
        means = cluster_means(matrix, levels[-1], counts[-1])
        merged = components(PreparedRows(means, metric), search(means), limit)
        count = int(merged.max()) + 1
        if count == 1 or count == counts[-1]:
            break
        levels.append(merged[levels[-1]])
        counts.append(count)
        if counts[-2] - count == 1:
            break
    return FinchResult(np.stack(levels, axis=1), np.array(counts, dtype=np.int64))


@TASK_UTILS.register_module()
class FINCH:
    """One level of :func:`finch`, or a requested number of clusters, as a configurable clusterer.

    Args:
        level: 0 is the finest, SLIC's choice (CVPR 2022).
        num_clusters: Instead of a level, merge the coarsest one that has enough clusters down to
            this many (:func:`~slic_mmaction.clustering.refine.merge_to`). If level 0 has fewer, it
            is level 0, with a warning: a training of days must not end at its last clustering.
        metric: ``'cosine'`` or ``'euclidean'``.
        early_exit: Whether long links of later levels are removed.
        backend: Neighbour search, see :func:`~slic_mmaction.clustering.first_neighbors`.
        precision: Likewise.
        approximate_above: Likewise.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        level: int = 0,
        num_clusters: int | None = None,
        metric: str = "cosine",
        early_exit: bool = True,
        backend: str = "auto",
        precision: str = "auto",
        approximate_above: int | None = None,
    ) -> None:
        if level < 0 or metric not in METRICS:
            raise ValueError(
                f"FINCH got level={level} and metric={metric!r}: it needs level >= 0 and one of "
                f"{', '.join(METRICS)}."
            )
        if num_clusters is not None and (num_clusters < 1 or level):
            raise ValueError(
                f"FINCH got num_clusters={num_clusters} and level={level}: ask for at least one "
                "cluster, and for either a number or a level."
            )
        if approximate_above is not None and approximate_above < 0:
            raise ValueError(
                f"FINCH got approximate_above={approximate_above}: give a number of rows above "
                "which neighbours are approximate, or None for never."
            )
        check_options(metric, backend, precision)
        self.level = level
        self.num_clusters = num_clusters
        self.metric = metric
        self.early_exit = early_exit
        self.backend = backend
        self.precision = precision
        self.approximate_above = approximate_above

    def __call__(self, embeddings: Embeddings) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64.

        Where the hierarchy ends before ``level``, its last level is used, with a warning.
        """
        result = finch(
            embeddings,
            self.metric,
            self.level + 1 if self.num_clusters is None else None,
            self.early_exit,
            self.backend,
            self.precision,
            self.approximate_above,
        )
        finest = int(result.num_clusters[0])
        if self.num_clusters is not None and self.num_clusters > finest:
            print_log(
                f"FINCH was asked for num_clusters={self.num_clusters}, but its finest level has "
                f"{finest} and it only merges: using that level. Ask for fewer, or use KMeans.",
                logger="current",
                level=logging.WARNING,
            )
            return result.labels[:, 0]
        if self.num_clusters is not None:
            level = level_to_refine(result.num_clusters.tolist(), self.num_clusters)
            points = check_matrix(embeddings, self.metric).cpu().numpy()
            return merge_to(result.labels[:, level], points, self.num_clusters, self.metric)
        last = len(result.num_clusters) - 1
        if last < self.level:
            print_log(
                f"FINCH found {last + 1} level(s), so level {self.level} does not exist: "
                f"using level {last} with {result.num_clusters[last]} clusters.",
                logger="current",
                level=logging.WARNING,
            )
        return result.labels[:, last]
