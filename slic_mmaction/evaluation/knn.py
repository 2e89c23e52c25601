"""Classification by weighted votes of nearest neighbours."""

from __future__ import annotations

import torch
from torch import Tensor


def knn_scores(
    labels: Tensor, similarities: Tensor, num_classes: int, k: int, temperature: float
) -> Tensor:
    """Votes for each class, weighted by exp(similarity / T) (Wu et al., CVPR 2018, section 3.4).

    Args:
        labels (Tensor): (Q, K) int64 classes of the neighbours, nearest first.
        similarities (Tensor): (Q, K) their cosines with the query.
        num_classes (int): C.
        k (int): How many neighbours vote, within 1..K.
        temperature (float): T, above 0; the lower, the more the nearest decide.

    Returns:
        Tensor: (Q, C) float64, each row divided by the weight of its nearest neighbour, which
        keeps it within range and changes no order.
    """
    near = similarities[:, :k].double()
    weights = ((near - near[:, :1]) / temperature).exp()
    scores = torch.zeros(len(labels), num_classes, dtype=torch.float64, device=weights.device)
    return scores.scatter_add_(1, labels[:, :k], weights)


def top_k_accuracy(scores: Tensor, labels: Tensor, k: int) -> float:
    """Share of rows with their class among the k of highest score.

    Of classes with equal scores the lowest number comes first.

    Args:
        scores (Tensor): (N, C).
        labels (Tensor): (N,) int64 classes.
        k (int): At least 1.
    """
    best = scores.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return float((best == labels[:, None]).any(dim=1).double().mean())
