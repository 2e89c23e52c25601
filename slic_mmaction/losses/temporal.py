"""Temporal discrimination: two views of one clip are closer than clips of other moments."""

from __future__ import annotations

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from .distances import METRICS, paired_distance


def temporal_discrimination_loss(
    anchor: Tensor,
    anchor_view: Tensor,
    positive: Tensor,
    margin: float = 0.04,
    metric: str = "cosine",
) -> Tensor:
    """Mean of ``max(0, d(anchor, anchor_view) - d(anchor, positive) + margin)``.

    SLIC (Khorasgani et al., CVPR 2022): a second augmentation of the anchor's frames should be
    nearer to the anchor than the positive, which shows another moment.

    Args:
        anchor: (N, D) embeddings, any floating dtype.
        anchor_view: (N, D) embeddings of the anchor's frames, augmented anew.
        positive: (N, D) embeddings of the positives.
        margin: Margin in units of the metric.
        metric: ``'cosine'`` or ``'euclidean'``.

    Returns:
        Scalar, float32 (float64 for float64 input).

    Raises:
        ValueError: If shapes differ or the metric is unknown.
    """
    gap = _gap(anchor, anchor_view, positive, metric)
    return (margin - gap).relu().mean()


def _gap(anchor: Tensor, anchor_view: Tensor, positive: Tensor, metric: str) -> Tensor:
    return paired_distance(anchor, positive, metric) - paired_distance(anchor, anchor_view, metric)


@MODELS.register_module()
class TemporalDiscriminationLoss(nn.Module):
    """:func:`temporal_discrimination_loss` for the views of a batch of videos.

    Args:
        margin: Margin in units of the metric.
        metric: ``'cosine'`` or ``'euclidean'``.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If the metric is unknown.
    """

    def __init__(
        self, margin: float = 0.04, metric: str = "cosine", loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        if metric not in METRICS:
            raise ValueError(
                f"TemporalDiscriminationLoss got metric={metric!r}: choose one of "
                f"{', '.join(METRICS)}."
            )
        self.margin = margin
        self.metric = metric
        self.loss_weight = loss_weight

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Loss of one batch, and a counter to watch.

        Args:
            embeddings: (N, V, D) with V >= 3: anchor, positive, second anchor view.
            labels: Not used; taken, like ``generator``, so that every loss of the head is
                called alike.
            generator: Not used.

        Returns:
            ``loss_temporal`` (weighted) and ``temporal_gap``, the detached mean of
            ``d(anchor, positive) - d(anchor, second view)``.

        Raises:
            ValueError: If there are fewer than three views.
        """
        if embeddings.ndim != 3 or embeddings.size(1) < 3:
            raise ValueError(
                f"TemporalDiscriminationLoss needs embeddings (N, V, D) of an anchor, a positive "
                f"and a second anchor view, but got shape {tuple(embeddings.shape)}: add the "
                f"third view to the dataset or drop this loss."
            )
        anchor, positive, anchor_view = embeddings[:, :3].unbind(1)
        gap = _gap(anchor, anchor_view, positive, self.metric)
        loss = (self.margin - gap).relu().mean()
        return {
            "loss_temporal": self.loss_weight * loss,
            "temporal_gap": gap.detach().mean().float(),
        }
