"""Nearest neighbours of queries in a gallery, and recall at k."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from torch import Tensor

from ..nearest import Array, nearest
from .protocols import get_protocol


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
    if not ks or min(ks) < 1 or not len(query):
        raise ValueError(
            f"recall_at_k needs a query and at least one k within 1..{len(gallery)}, but got "
            f"{len(query)} queries and ks={ks}."
        )
    check_labels("query", query, query_labels)
    check_labels("gallery", gallery, gallery_labels)
    prepared = get_protocol(protocol).prepared
    _, indices = nearest(prepared(query), prepared(gallery), max(ks))
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


def check_labels(name: str, embeddings: Array, labels: Array) -> None:
    """Refuse labels that are not one for each embedding.

    Raises:
        ValueError: If they are not.
    """
    if tuple(labels.shape) != (len(embeddings),):
        raise ValueError(
            f"The {name} has {len(embeddings)} embeddings, so its labels must have the shape "
            f"({len(embeddings)},), but they have {tuple(labels.shape)}."
        )


def to_numpy(array: Array) -> np.ndarray:
    """The same numbers as a NumPy array."""
    return array.cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
