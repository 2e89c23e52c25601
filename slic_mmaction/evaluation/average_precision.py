"""Mean average precision of a retrieval: how far up all videos of a query's class are."""

from __future__ import annotations

import torch
from torch import Tensor

from ..nearest import BLOCK_ELEMENTS, Array, similarity_blocks
from .recall import check_labels


def average_precisions(
    query: Array, query_labels: Array, gallery: Array, gallery_labels: Array
) -> Tensor:
    """Average precision of each query over the whole gallery, ranked by cosine.

    The mean, over the gallery videos of the query's class, of the share of that class among
    all videos up to there. Of equally near videos the lowest gallery index ranks first. A
    query whose class the gallery lacks has 0.

    Args:
        query (np.ndarray | Tensor): (Q, D) float embeddings.
        query_labels (np.ndarray | Tensor): (Q,) int classes.
        gallery (np.ndarray | Tensor): (G, D) float embeddings.
        gallery_labels (np.ndarray | Tensor): (G,) int classes.

    Returns:
        Tensor: (Q,) float64 within 0..1, on the CPU.

    Raises:
        ValueError: If shapes do not agree or a value is not finite.
    """
    check_labels("query", query, query_labels)
    check_labels("gallery", gallery, gallery_labels)
    query_labels = torch.as_tensor(query_labels)
    gallery_labels = torch.as_tensor(gallery_labels)
    found = [torch.empty(0, dtype=torch.float64)]
    # A ranking takes several times the memory of its similarities.
    for part, similarity in similarity_blocks(query, gallery, elements=BLOCK_ELEMENTS // 8):
        order = similarity.argsort(dim=1, descending=True, stable=True)
        classes = gallery_labels.to(order.device)[order]
        hits = (classes == query_labels[part].to(order.device)[:, None]).double()
        ranks = torch.arange(1, hits.shape[1] + 1, device=hits.device)
        precision = hits.cumsum(dim=1) / ranks
        found.append((precision * hits).sum(dim=1) / hits.sum(dim=1).clamp(min=1).cpu())
    return torch.cat(found)
