"""Nearest neighbours of queries in a gallery, and recall at k."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Union

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

Array = Union[np.ndarray, Tensor]

METRICS = ("cosine", "euclidean")
# Similarities held at a time (128 MiB of float64), whatever the number of queries.
_BLOCK_ELEMENTS = 2**24


def recall_at_k(
    query: Array,
    query_labels: Array,
    gallery: Array,
    gallery_labels: Array,
    ks: Iterable[int],
) -> dict[int, float]:
    """Share of queries with a video of their class among the k nearest of the gallery.

    Neighbours are the nearest by cosine (METHOD "Evaluation"). Every query counts, also
    one whose class the gallery lacks: it is never found.

    Args:
        query (np.ndarray | Tensor): (Q, D) float embeddings, one for each video.
        query_labels (np.ndarray | Tensor): (Q,) int classes.
        gallery (np.ndarray | Tensor): (G, D) float embeddings.
        gallery_labels (np.ndarray | Tensor): (G,) int classes.
        ks (Iterable[int]): Numbers of neighbours, each within 1..G.

    Returns:
        dict[int, float]: Recall within 0..1 for each k.

    Raises:
        ValueError: If shapes do not agree, a value is not finite, or a k is out of range.
    """
    ks = list(ks)
    if not ks:
        raise ValueError("recall_at_k needs at least one k, but ks is empty.")
    for name, rows, labels in (
        ("query", query, query_labels),
        ("gallery", gallery, gallery_labels),
    ):
        if tuple(labels.shape) != (len(rows),):
            raise ValueError(
                f"The {name} has {len(rows)} embeddings, so its labels must have the shape "
                f"({len(rows)},), but they have {tuple(labels.shape)}."
            )
    indices, _ = top_k_neighbors(query, gallery, _largest(ks, len(gallery)))
    hits = _to_numpy(gallery_labels)[_to_numpy(indices)] == _to_numpy(query_labels)[:, None]
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

    Of equally near ones the lowest gallery index comes first. Computed in blocks of
    queries on the device of ``query``: never a Q x G matrix. The cosine with a zero
    vector is 0.

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
    if metric not in METRICS:
        raise ValueError(f"The metric is one of {METRICS}, but got {metric!r}.")
    query = _checked("query", query)
    gallery = _checked("gallery", gallery).to(query.device)
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"Query embeddings have {query.shape[1]} dimensions and gallery embeddings "
            f"{gallery.shape[1]}: embed both with the same network and feature."
        )
    _largest([k], len(gallery))
    if metric == "cosine":
        query, gallery = normalize(query, eps=1e-300), normalize(gallery, eps=1e-300)
    indices, similarities = [], []
    for block in query.split(max(1, _BLOCK_ELEMENTS // len(gallery))):
        if metric == "cosine":
            similarity = block @ gallery.T
        else:
            similarity = -torch.cdist(block, gallery, compute_mode="donot_use_mm_for_euclid_dist")
        nearest, values = _top_k_lowest_index_first(similarity, k)
        indices.append(nearest)
        similarities.append(values)
    return torch.cat(indices), torch.cat(similarities)


def _top_k_lowest_index_first(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    # torch.topk alone takes any of several equal values.
    kth = similarity.topk(k, dim=1).values[:, -1:]
    above = similarity > kth
    tied = similarity == kth
    keep = above | (tied & (tied.cumsum(dim=1) <= k - above.sum(dim=1, keepdim=True)))
    columns = keep.nonzero()[:, 1].reshape(-1, k)
    values, order = similarity.gather(1, columns).sort(dim=1, descending=True, stable=True)
    return columns.gather(1, order), values


def _checked(name: str, embeddings: Array) -> Tensor:
    rows = torch.as_tensor(embeddings).detach().double()
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(
            f"The {name} embeddings must be a non-empty (videos, dimensions) array, but have "
            f"the shape {tuple(rows.shape)}; average the clips of a video first."
        )
    finite = rows.isfinite().all(dim=1)
    if not finite.all():
        raise ValueError(
            f"{int((~finite).sum())} of {len(rows)} {name} embeddings are not finite, first "
            f"that of row {int((~finite).nonzero()[0])}: the network has diverged."
        )
    return rows


def _largest(ks: list[int], gallery_size: int) -> int:
    if min(ks) < 1 or max(ks) > gallery_size:
        raise ValueError(
            f"A number of neighbours lies within 1..{gallery_size}, the number of gallery "
            f"videos, but got {ks}."
        )
    return max(ks)


def _to_numpy(array: Array) -> np.ndarray:
    return array.cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
