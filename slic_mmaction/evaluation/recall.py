"""Nearest neighbours of queries in a gallery, and recall at k."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from .protocols import get_protocol
from .similarity import Array, check_labels, similarity_blocks, to_numpy


def recall_at_k(
    query: Array,
    query_labels: Array,
    gallery: Array,
    gallery_labels: Array,
    ks: Iterable[int],
    protocol: str = "iic",
) -> dict[int, float]:
    """Share of queries with a video of their class among the k nearest of the gallery.

    Neighbours are the nearest by cosine (METHOD "Evaluation"); protocol ``coclr`` centres
    queries and gallery first, each by its own mean. Every query counts, also one whose class
    the gallery lacks: it is never found.

    Args:
        query (np.ndarray | Tensor): (Q, D) float embeddings, one for each video.
        query_labels (np.ndarray | Tensor): (Q,) int classes.
        gallery (np.ndarray | Tensor): (G, D) float embeddings.
        gallery_labels (np.ndarray | Tensor): (G,) int classes.
        ks (Iterable[int]): Numbers of neighbours, each within 1..G.
        protocol (str): Name of a protocol. Defaults to ``'iic'``.

    Returns:
        dict[int, float]: Recall within 0..1 for each k.

    Raises:
        ValueError: If shapes do not agree, a value is not finite, a k is out of range, or the
            protocol is unknown.
    """
    ks = list(ks)
    if not ks:
        raise ValueError("recall_at_k needs at least one k, but ks is empty.")
    check_labels("query", query, query_labels)
    check_labels("gallery", gallery, gallery_labels)
    prepared = get_protocol(protocol).prepared
    largest = _largest(ks, len(gallery))
    indices, _ = top_k_neighbors(prepared(query), prepared(gallery), largest)
    hits = to_numpy(gallery_labels)[to_numpy(indices)] == to_numpy(query_labels)[:, None]
    return recall_of_hits(hits, ks)


def recall_of_hits(hits: np.ndarray, ks: Iterable[int]) -> dict[int, float]:
    """Share of queries with a hit among their first k neighbours.

    Args:
        hits (np.ndarray): (Q, K) bool, whether a query's neighbour, nearest first, is of
            its class.
        ks (Iterable[int]): Numbers of neighbours, each within 1..K.

    Returns:
        dict[int, float]: Recall within 0..1 for each k.
    """
    return {k: float(hits[:, :k].any(axis=1).mean()) for k in ks}


def top_k_neighbors(
    query: Array, gallery: Array, k: int, metric: str = "cosine"
) -> tuple[Tensor, Tensor]:
    """The k nearest of the gallery to each query, nearest first; exact, in float64.

    Of equally near ones the lowest gallery index comes first. Memory grows with Q * k, not
    with Q * G (see :func:`similarity_blocks`).

    Args:
        query (np.ndarray | Tensor): (Q, D) float.
        gallery (np.ndarray | Tensor): (G, D) float.
        k (int): Number of neighbours, within 1..G.
        metric (str): ``'cosine'`` or ``'euclidean'``. Defaults to ``'cosine'``.

    Returns:
        tuple[Tensor, Tensor]: (Q, k) int64 gallery indices, and (Q, k) float64
        similarities: cosines, or Euclidean distances with a minus sign.

    Raises:
        ValueError: If shapes do not agree, a value is not finite, k is out of range, or
            the metric is unknown.
    """
    _largest([k], len(gallery))
    found = [
        _top_k_lowest_index_first(similarity, k)
        for _, similarity in similarity_blocks(query, gallery, metric)
    ]
    return torch.cat([indices for indices, _ in found]), torch.cat([values for _, values in found])


def _top_k_lowest_index_first(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    values, columns = similarity.topk(k, dim=1)
    # torch.topk takes any of several that are equal to the k-th.
    tied = ((similarity >= values[:, -1:]).sum(dim=1) > k).nonzero().flatten()
    if len(tied):
        columns[tied] = _first_of_ties(similarity[tied], values[tied, -1:], k)
    columns = columns.sort(dim=1).values
    values, order = similarity.gather(1, columns).sort(dim=1, descending=True, stable=True)
    return columns.gather(1, order), values


def _first_of_ties(similarity: Tensor, kth: Tensor, k: int) -> Tensor:
    above = similarity > kth
    tied = similarity == kth
    keep = above | (tied & (tied.cumsum(dim=1) <= k - above.sum(dim=1, keepdim=True)))
    return keep.nonzero()[:, 1].reshape(-1, k)


def _largest(ks: list[int], gallery_size: int) -> int:
    if min(ks) < 1 or max(ks) > gallery_size:
        raise ValueError(
            f"A number of neighbours lies within 1..{gallery_size}, the number of gallery "
            f"videos, but got {ks}."
        )
    return max(ks)
