"""Losses on the order of two views' distances from the anchor."""

from __future__ import annotations

from typing import ClassVar

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from .distances import METRICS, paired_distance

ANCHOR, POSITIVE, SECOND_ANCHOR, FIRST_EXTRA = range(4)


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
    return _margin_loss(_gap(anchor, anchor_view, positive, metric), margin)


def _gap(anchor: Tensor, near: Tensor, far: Tensor, metric: str) -> Tensor:
    return paired_distance(anchor, far, metric) - paired_distance(anchor, near, metric)


def _margin_loss(gap: Tensor, margin: float) -> Tensor:
    return (margin - gap).relu().mean()


class _ViewRankingLoss(nn.Module):
    """Mean over the batch of ``max(0, d(anchor, near view) - d(anchor, far view) + margin)``."""

    name: ClassVar[str]
    """The scalars are ``loss_<name>`` and ``<name>_gap``."""
    missing: ClassVar[str]
    """What to do if the last of the views is missing."""

    def __init__(self, near: int, far: int, margin: float, metric: str, loss_weight: float) -> None:
        super().__init__()
        if metric not in METRICS:
            raise ValueError(
                f"{type(self).__name__} got metric={metric!r}: choose one of {', '.join(METRICS)}."
            )
        self.near = near
        self.far = far
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
            embeddings: (N, V, D): anchor, positive, second anchor view, extra views.
            labels: Not used; taken, like ``generator``, so that every loss of the head is
                called alike.
            generator: Not used.

        Returns:
            ``loss_<name>`` (weighted) and ``<name>_gap``, the detached mean of
            ``d(anchor, far view) - d(anchor, near view)``.

        Raises:
            ValueError: If a view is missing.
        """
        last = max(self.near, self.far)
        if embeddings.ndim != 3 or embeddings.size(1) <= last:
            raise ValueError(
                f"{type(self).__name__} needs embeddings (N, V, D) with V > {last}, but got shape "
                f"{tuple(embeddings.shape)}: {self.missing}."
            )
        views = embeddings.unbind(1)
        gap = _gap(views[ANCHOR], views[self.near], views[self.far], self.metric)
        return {
            f"loss_{self.name}": self.loss_weight * _margin_loss(gap, self.margin),
            f"{self.name}_gap": gap.detach().mean().float(),
        }


@MODELS.register_module()
class TemporalDiscriminationLoss(_ViewRankingLoss):
    """:func:`temporal_discrimination_loss` for the views of a batch of videos.

    Args:
        margin: Margin in units of the metric.
        metric: ``'cosine'`` or ``'euclidean'``.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If the metric is unknown.
    """

    name = "temporal"
    missing = "add the second anchor view to the dataset or drop this loss"

    def __init__(
        self, margin: float = 0.04, metric: str = "cosine", loss_weight: float = 1.0
    ) -> None:
        super().__init__(SECOND_ANCHOR, POSITIVE, margin, metric, loss_weight)


class _ExtraViewLoss(_ViewRankingLoss):
    """The positive is nearer to the anchor than one of the dataset's ``extra_views``."""

    def __init__(self, margin: float, view: int, metric: str, loss_weight: float) -> None:
        super().__init__(POSITIVE, view, margin, metric, loss_weight)
        if view <= POSITIVE:
            raise ValueError(
                f"{type(self).__name__} got view={view}: choose one after the anchor (0) and the "
                "positive (1)."
            )


@MODELS.register_module()
class RelativeSpeedLoss(_ExtraViewLoss):
    """A clip at double speed is farther from the anchor than the positive at normal speed.

    Relative-speed perception as in the code of SLIC's authors; after Chen et al., "RSPNet",
    AAAI 2021. The fast clip is from the positive's video: view ``'fast_positive'``.

    Args:
        margin: Margin in units of the metric.
        view: Number of the fast view: 3, the first of the dataset's ``extra_views``, or more.
        metric: ``'cosine'`` or ``'euclidean'``.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If the metric is unknown or the view is the anchor or the positive.
    """

    name = "speed"
    missing = (
        "add 'fast_positive' to the extra_views of ClusterAwareDataset, whose first one is view 3"
    )

    def __init__(
        self,
        margin: float = 0.1,
        view: int = FIRST_EXTRA,
        metric: str = "cosine",
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(margin, view, metric, loss_weight)


@MODELS.register_module()
class IntraVideoNegativeLoss(_ExtraViewLoss):
    """The anchor's frames in random order are farther from the anchor than the positive.

    An intra-negative as in the code of SLIC's authors; after Tao et al., "Self-supervised Video
    Representation Learning Using Inter-intra Contrastive Framework", ACM MM 2020. It takes the
    view ``'shuffled_anchor'``.

    Args:
        margin: Margin in units of the metric.
        view: Number of the shuffled view: 3, the first of the dataset's ``extra_views``, or more.
        metric: ``'cosine'`` or ``'euclidean'``.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If the metric is unknown or the view is the anchor or the positive.
    """

    name = "intra"
    missing = (
        "add 'shuffled_anchor' to the extra_views of ClusterAwareDataset, whose first one is view 3"
    )

    def __init__(
        self,
        margin: float = 0.04,
        view: int = FIRST_EXTRA,
        metric: str = "cosine",
        loss_weight: float = 0.4,
    ) -> None:
        super().__init__(margin, view, metric, loss_weight)
