"""Links of FINCH's first-neighbour graph, their lengths, and their connected components."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from ..nearest import distances, exact_pair_similarities, exact_rows, exact_similarities, row_blocks
from .quality import renumber

_BLOCK_ELEMENTS = 1 << 20

# Ends i and j of links, and their weighted lengths: three arrays of the same size.
Links = tuple[np.ndarray, np.ndarray, np.ndarray]


def weighted_links(points: Tensor, neighbors: np.ndarray, metric: str) -> Iterator[Links]:
    """Yield all links of the first-neighbour graph, with distance times weight, in small blocks.

    FINCH links i and j if one is the first neighbour of the other or both have the same one
    (Sarfraz et al., CVPR 2019, eq. 1). The graph is ``(F + I)(F + I)^T`` without its diagonal,
    where F is the one-hot matrix of first neighbours: a link has weight 2 if the points are each
    other's first neighbour, and else 1. Points that share a neighbour have as many links as the
    square of their number, so only one block is in memory.

    Yields:
        Blocks of links, every unordered pair once.
    """

    def exact(index: np.ndarray) -> Tensor:
        chosen = points[torch.from_numpy(index.ravel()).to(points.device)]
        return exact_rows(chosen, metric).view(*index.shape, -1)

    index = np.arange(len(points))
    mutual = neighbors[neighbors] == index
    once = index[~mutual | (index < neighbors)]
    for part in row_blocks(len(once), points.size(1), _BLOCK_ELEMENTS):
        i, j = once[part], neighbors[once[part]]
        apart = distances(exact_pair_similarities(exact(i), exact(j), metric), metric)
        yield i, j, apart.cpu().numpy() * np.where(mutual[i], 2.0, 1.0)

    # Points that share a neighbour. Groups of the same size are processed together.
    order = np.argsort(neighbors, kind="stable")
    _, starts, sizes = np.unique(neighbors[order], return_index=True, return_counts=True)
    for size in np.unique(sizes[sizes > 1]):
        groups = order[starts[sizes == size][:, None] + np.arange(size)]
        step = max(1, _BLOCK_ELEMENTS // (size * max(size, points.size(1))))
        height = max(1, _BLOCK_ELEMENTS // size)
        for some in np.split(groups, range(step, len(groups), step)):
            for start in range(0, size - 1, height):
                first, second = some[:, start : start + height], some[:, start:]
                i, j = np.triu_indices(first.shape[1], 1, second.shape[1])
                apart = distances(exact_similarities(exact(first), exact(second), metric), metric)
                length = apart.cpu().numpy()[:, i, j].ravel()
                yield first[:, i].ravel(), second[:, j].ravel(), length


def components(
    points: Tensor, neighbors: np.ndarray, metric: str, threshold: float | None = None
) -> np.ndarray:
    """Find the connected components of the first-neighbour graph.

    Links longer than the threshold are left out. Returns labels (N,) int64 from 0, in order of
    first appearance.
    """
    index = np.arange(len(neighbors))
    if threshold is None:
        # Two points with the same first neighbour are connected through it.
        return renumber(_join(index, [(index, neighbors)]))
    labels, waiting, size = index, [], 0
    for i, j, length in weighted_links(points, neighbors, metric):
        keep = length <= threshold
        waiting.append((i[keep], j[keep]))
        size += int(keep.sum())
        if size > 4 * _BLOCK_ELEMENTS:
            labels, waiting, size = _join(labels, waiting), [], 0
    return renumber(_join(labels, waiting))


def _join(labels: np.ndarray, links: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Merge the components that links connect."""
    if not links:
        return labels
    i, j = (labels[np.concatenate(ends)] for ends in zip(*links))
    graph = coo_matrix((np.ones(len(i), dtype=np.int8), (i, j)), shape=(len(labels),) * 2)
    return connected_components(graph, directed=False)[1][labels]


def cluster_sums(points: Tensor, labels: np.ndarray, count: int) -> np.ndarray:
    """Sum the points (N, D) of each cluster of labels (N,) from 0: (count, D) float64."""
    sums = np.zeros((count, points.size(1)))
    for part in row_blocks(len(labels), points.size(1), 4 * _BLOCK_ELEMENTS):
        block = points[part].double().cpu().numpy()
        present, own = np.unique(labels[part], return_inverse=True)
        rows = np.arange(len(block))
        members = csr_matrix((np.ones(len(block)), (own, rows)), shape=(len(present), len(block)))
        sums[present] += members @ block
    return sums
