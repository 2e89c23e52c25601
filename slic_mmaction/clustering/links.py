"""Links of FINCH's first-neighbour graph, their weights, lengths and connected components."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from .embeddings import renumber
from .prepared_rows import PreparedRows

_BLOCK_ELEMENTS = 1 << 20

# Ends (i, j) of links and the weighted length of each: three arrays of one size.
Links = tuple[np.ndarray, np.ndarray, np.ndarray]


def weighted_links(rows: PreparedRows, neighbors: np.ndarray) -> Iterator[Links]:
    """All links of the first-neighbour graph, with distance times weight, in bounded blocks.

    FINCH links i and j if one is the first neighbour of the other or both have the same one
    (Sarfraz et al., CVPR 2019, eq. 1). Written as ``(F + I)(F + I)^T`` without its diagonal, F
    being the one-hot matrix of first neighbours, a link weighs 2 if the points are each other's
    first neighbour and else 1. Points that share a neighbour make as many links as the square of
    a hub's in-degree, so blocks are handed out one by one and never kept.

    Args:
        rows: N points.
        neighbors: (N,) int64 first neighbours.

    Yields:
        Blocks of links, every unordered pair once.
    """
    index = np.arange(len(rows))
    mutual = neighbors[neighbors] == index
    once = index[~mutual | (index < neighbors)]
    step = max(1, _BLOCK_ELEMENTS // rows.dim)
    for start in range(0, len(once), step):
        i = once[start : start + step]
        j = neighbors[i]
        yield (
            i,
            j,
            _paired(_points(rows, i), _points(rows, j), rows.metric)
            * np.where(mutual[i], 2.0, 1.0),
        )

    order = np.argsort(neighbors, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(neighbors[order]) > 0])
    for members in np.split(order, starts[1:]):
        step = max(1, _BLOCK_ELEMENTS // len(members))
        for start in range(0, len(members) - 1, step):
            first, second = members[start : start + step], members[start:]
            i, j = np.triu_indices(len(first), 1, len(second))
            lengths = _crossed(_points(rows, first), _points(rows, second), rows.metric)
            yield first[i], second[j], lengths[i, j]


def _points(rows: PreparedRows, index: np.ndarray) -> np.ndarray:
    return rows.exact(torch.from_numpy(index).to(rows.device)).cpu().numpy()


def _paired(x: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    if metric == "cosine":
        return 1 - np.einsum("nd,nd->n", x, y)
    return np.linalg.norm(x - y, axis=1)


def _crossed(x: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    return 1 - x @ y.T if metric == "cosine" else cdist(x, y)


def components(rows: PreparedRows, neighbors: np.ndarray, threshold: float | None) -> np.ndarray:
    """Weakly connected components of the first-neighbour graph.

    Args:
        rows: N points.
        neighbors: (N,) int64 first neighbours.
        threshold: Links of a greater weighted length are removed first; None keeps all.

    Returns:
        (N,) int64 labels from 0, in order of first appearance.
    """
    index = np.arange(len(neighbors))
    if threshold is None:
        # Two points with one first neighbour are connected through it.
        return renumber(_join(index, [(index, neighbors)]))
    labels, waiting, size = index, [], 0
    for i, j, length in weighted_links(rows, neighbors):
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
