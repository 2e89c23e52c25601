"""Nearest neighbours of queries in a gallery, recall at k and average precision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from .protocols import Array, get_protocol
from .similarity import BLOCK_ELEMENTS, check_labels, similarity_blocks, to_numpy


def recall_at_k(
    query: Array,
    query_labels: Array,
    gallery: Array,
    gallery_labels: Array,
    ks: Iterable[int],
    protocol: str = "iic",
) -> dict[int, float]:
    """Share of queries with a video of their class among the k nearest of the gallery.

    Neighbours are the nearest by cosine, as in the paper; protocol ``coclr`` centres
    queries and gallery first, each by its own mean. Every query counts, also one whose class
    the gallery lacks: it is never found.

    Args:
        query: (Q, D) float embeddings, one for each video.
        query_labels: (Q,) int classes.
        gallery: (G, D) float embeddings.
        gallery_labels: (G,) int classes.
        ks: Numbers of neighbours, each within 1..G.
        protocol: Name of a protocol.

    Returns:
        Recall within 0..1 for each k.

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
        hits: (Q, K) bool, whether a query's neighbour, nearest first, is of
            its class.
        ks: Numbers of neighbours, each within 1..K.

    Returns:
        Recall within 0..1 for each k.
    """
    return {k: float(hits[:, :k].any(axis=1).mean()) for k in ks}


def per_class_table(
    hits: np.ndarray, labels: np.ndarray, videos: Sequence[str], ks: Iterable[int]
) -> list[dict[str, int | float | str]]:
    """Recall of the queries of each class in percent, the poorest class first.

    Args:
        hits: (Q, K) bool, whether a query's neighbour, nearest first, is of its class.
        labels: (Q,) int classes of the queries.
        videos: Q paths of the queries.
        ks: Numbers of neighbours, each within 1..K.

    Returns:
        For each class its label, one of its videos, the number of its queries, and ``R@k``.
    """
    ks = list(ks)
    rows: list[dict] = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        recalls = {f"R@{k}": 100 * r for k, r in recall_of_hits(hits[own], ks).items()}
        rows.append(dict(label=int(label), example=videos[own[0]], queries=len(own), **recalls))
    return sorted(rows, key=lambda row: row[f"R@{min(ks)}"])


def average_precisions(
    query: Array, query_labels: Array, gallery: Array, gallery_labels: Array
) -> Tensor:
    """Average precision of each query over the whole gallery, ranked by cosine.

    The mean, over the gallery videos of the query's class, of the share of that class among
    all videos up to there. Of equally near videos the lowest gallery index ranks first. A
    query whose class the gallery lacks has 0.

    Args:
        query: (Q, D) float embeddings.
        query_labels: (Q,) int classes.
        gallery: (G, D) float embeddings.
        gallery_labels: (G,) int classes.

    Returns:
        (Q,) float64 within 0..1, on the CPU.

    Raises:
        ValueError: If shapes do not agree or a value is not finite.
    """
    check_labels("query", query, query_labels)
    check_labels("gallery", gallery, gallery_labels)
    query_labels = torch.as_tensor(query_labels)
    gallery_labels = torch.as_tensor(gallery_labels)
    found = []
    # A ranking takes several times the memory of its similarities.
    for part, similarity in similarity_blocks(query, gallery, elements=BLOCK_ELEMENTS // 8):
        order = similarity.argsort(dim=1, descending=True, stable=True)
        classes = gallery_labels.to(order.device)[order]
        hits = (classes == query_labels[part].to(order.device)[:, None]).double()
        ranks = torch.arange(1, hits.shape[1] + 1, device=hits.device)
        precision = hits.cumsum(dim=1) / ranks
        found.append((precision * hits).sum(dim=1) / hits.sum(dim=1).clamp(min=1))
    return torch.cat(found).cpu()


def top_k_neighbors(
    query: Array, gallery: Array, k: int, metric: str = "cosine"
) -> tuple[Tensor, Tensor]:
    """The k nearest of the gallery to each query, nearest first; exact, in float64.

    Of equally near ones the lowest gallery index comes first. Memory grows with Q * k, not
    with Q * G (see :func:`similarity_blocks`).

    Args:
        query: (Q, D) float.
        gallery: (G, D) float.
        k: Number of neighbours, within 1..G.
        metric: ``'cosine'`` or ``'euclidean'``.

    Returns:
        (Q, k) int64 gallery indices, and (Q, k) float64
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
