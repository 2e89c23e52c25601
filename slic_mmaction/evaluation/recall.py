"""Recall at k and average precision of queries in a gallery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..nearest import BLOCK_ELEMENTS, Array, nearest, similarity_blocks
from .protocols import get_protocol

Labels = Array | Sequence[int]


def recall_at_k(
    query: Array,
    query_labels: Labels,
    gallery: Array,
    gallery_labels: Labels,
    ks: Iterable[int],
    protocol: str = "iic",
) -> dict[int, float]:
    """Compute the share of queries with a video of their class among the k nearest neighbours.

    Nearest neighbours in the gallery are by cosine, as in the paper. Protocol ``coclr`` first
    centres queries and gallery, each by its own mean. A query whose class is not in the gallery
    counts as not found.

    Args:
        query: (Q, D) float embeddings, one for each video.
        query_labels: (Q,) int classes, as a list, array or tensor.
        gallery: (G, D) float embeddings.
        gallery_labels: (G,) int classes, as a list, array or tensor.
        ks: Numbers of neighbours, each in 1..G.
        protocol: Name of a protocol.

    Returns:
        Recall in 0..1 for each k.

    Raises:
        ValueError: If the shapes do not match, a value is not finite, a k is out of range, or the
            protocol is unknown.

    Examples:
        >>> from slic_mmaction.evaluation import recall_at_k
        >>> query, gallery = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.9, 0.1], [0.8, 0.2]])
        >>> recall_at_k(query, [7, 8], gallery, [7, 7], ks=[1, 2])  # class 8 is not in the gallery
        {1: 0.5, 2: 0.5}
    """
    ks = list(ks)
    if not ks or min(ks) < 1 or not len(query):
        raise ValueError(
            f"recall_at_k needs a query and at least one k within 1..{len(gallery)}, but got "
            f"{len(query)} queries and ks={ks}."
        )
    query_classes = _checked("query", query, query_labels)
    gallery_classes = _checked("gallery", gallery, gallery_labels)
    prepared = get_protocol(protocol).prepared
    _, indices = nearest(prepared(query), prepared(gallery), max(ks))
    hits = gallery_classes[indices.cpu()] == query_classes[:, None]
    return recall_of_hits(hits.numpy(), ks)


def recall_of_hits(hits: np.ndarray, ks: Iterable[int]) -> dict[int, float]:
    """Compute the share of queries with a hit among their first k neighbours, for each k.

    ``hits`` (Q, K) is true where a query's neighbour, nearest first, has its class.
    """
    return {k: float(hits[:, :k].any(axis=1).mean()) for k in ks}


def per_class_table(
    hits: np.ndarray, labels: np.ndarray, videos: Sequence[str], ks: Sequence[int]
) -> list[dict[str, int | float | str]]:
    """Compute the recall of the queries of each class in percent, the lowest first.

    Given hits (Q, K) as for :func:`recall_of_hits`, and classes (Q,) and paths of the queries,
    returns the label, one video, the number of queries, and ``R@k`` of each class.
    """
    rows: list[dict] = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        recalls = {f"R@{k}": 100 * r for k, r in recall_of_hits(hits[own], ks).items()}
        rows.append(dict(label=int(label), example=videos[own[0]], queries=len(own), **recalls))
    return sorted(rows, key=lambda row: row[f"R@{min(ks)}"])


def average_precisions(
    query: Array, query_labels: Labels, gallery: Array, gallery_labels: Labels
) -> Tensor:
    """Compute the average precision of each query over the whole gallery, ranked by cosine.

    It is the mean of the precision at each rank that has a gallery video of the query's class.
    Of equally near videos, the lowest gallery index ranks first. A query whose class is not in
    the gallery has 0.

    Args:
        query: (Q, D) float embeddings.
        query_labels: (Q,) int classes, as a list, array or tensor.
        gallery: (G, D) float embeddings.
        gallery_labels: (G,) int classes, as a list, array or tensor.

    Returns:
        (Q,) float64 in 0..1, on the CPU.

    Raises:
        ValueError: If the shapes do not match or a value is not finite.

    Examples:
        >>> from slic_mmaction.evaluation import average_precisions
        >>> query, gallery = np.array([[1.0, 0.0]]), np.array([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])
        >>> average_precisions(query, [7], gallery, [7, 8, 7])  # ranks 1 and 3: (1/1 + 2/3) / 2
        tensor([0.8333], dtype=torch.float64)
    """
    query_classes = _checked("query", query, query_labels)
    gallery_classes = _checked("gallery", gallery, gallery_labels)
    found = torch.empty(len(query), dtype=torch.float64)
    # A ranking takes several times the memory of its similarities.
    for part, similarity in similarity_blocks(query, gallery, elements=BLOCK_ELEMENTS // 8):
        order = similarity.argsort(dim=1, descending=True, stable=True)
        classes = gallery_classes.to(order.device)[order]
        hits = (classes == query_classes[part].to(order.device)[:, None]).double()
        precision = hits.cumsum(dim=1) / torch.arange(1, hits.shape[1] + 1, device=hits.device)
        found[part] = ((precision * hits).sum(dim=1) / hits.sum(dim=1).clamp(min=1)).cpu()
    return found


def _checked(name: str, embeddings: Array, labels: Labels) -> Tensor:
    """Return labels (N,) on the CPU; raise a ValueError if there is not one for each embedding."""
    classes = torch.as_tensor(labels).cpu()
    if tuple(classes.shape) != (len(embeddings),):
        raise ValueError(
            f"The {name} has {len(embeddings)} embeddings, so its labels need the shape "
            f"({len(embeddings)},), but they have {tuple(classes.shape)}."
        )
    return classes
