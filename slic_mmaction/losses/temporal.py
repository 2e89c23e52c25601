"""Losses that compare the distances of two views from the anchor."""

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
    """Compute the mean of ``max(0, d(anchor, anchor_view) - d(anchor, positive) + margin)``.

    A second augmentation of the anchor's frames should be nearer to the anchor than the
    positive, which shows another moment (SLIC, Khorasgani et al., CVPR 2022, section 3).

    Args:
        anchor: (N, D) embeddings of the anchors, any floating dtype.
        anchor_view: (N, D) embeddings of a second augmentation of the anchors' frames.
        positive: (N, D) embeddings of the positives.
        margin: Margin in units of the metric.
        metric: ``'cosine'`` or ``'euclidean'``.

    Returns:
        Scalar, float32 (float64 for float64 input).

    Raises:
        ValueError: If the shapes differ or the metric is unknown.

    Examples:
        >>> from slic_mmaction.losses import temporal_discrimination_loss
        >>> anchor, near = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.1]])
        >>> far = torch.tensor([[0.0, 1.0]])
        >>> temporal_discrimination_loss(anchor, anchor_view=near, positive=far)
        tensor(0.)
        >>> temporal_discrimination_loss(anchor, anchor_view=far, positive=near)
        tensor(1.0350)
    """
    return _margin_loss(_gap(anchor, anchor_view, positive, metric), margin)


def _gap(anchor: Tensor, near: Tensor, far: Tensor, metric: str) -> Tensor:
    return paired_distance(anchor, far, metric) - paired_distance(anchor, near, metric)


def _margin_loss(gap: Tensor, margin: float) -> Tensor:
    return (margin - gap).relu().mean()


class _ViewRankingLoss(nn.Module):
    """Mean over the batch of ``max(0, d(anchor, near view) - d(anchor, far view) + margin)``."""

    name: ClassVar[str]
    """Part of the names of the scalars ``loss_<name>`` and ``<name>_gap``."""
    missing: ClassVar[str]
    """The remedy if a view is missing, for the error message."""

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
        """Compute the loss of a batch and a figure to log.

        Args:
            embeddings: (N, V, D): anchor, positive, second anchor view, extra views.
            labels: Not used. The head passes it, like ``generator``, to every loss.
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
    """:func:`temporal_discrimination_loss` as a module, for the views of a batch of videos.

    Args:
        margin: Margin in units of the metric.
        metric: ``'cosine'`` or ``'euclidean'``.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If the metric is unknown.

    Examples:
        >>> from mmaction.registry import MODELS
        >>> loss = MODELS.build(dict(type="TemporalDiscriminationLoss", margin=0.04))
        >>> views = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]])  # (N, V, D), one video
        >>> loss(views)
        {'loss_temporal': tensor(0.), 'temporal_gap': tensor(1.)}
    """

    name = "temporal"
    missing = "add the second anchor view to the dataset or remove this loss"

    def __init__(
        self, margin: float = 0.04, metric: str = "cosine", loss_weight: float = 1.0
    ) -> None:
        super().__init__(SECOND_ANCHOR, POSITIVE, margin, metric, loss_weight)


class _ExtraViewLoss(_ViewRankingLoss):
    """Loss that wants the positive nearer to the anchor than one of the ``extra_views``."""

    def __init__(self, margin: float, view: int, metric: str, loss_weight: float) -> None:
        super().__init__(POSITIVE, view, margin, metric, loss_weight)
        if view <= POSITIVE:
            raise ValueError(
                f"{type(self).__name__} got view={view}, but view 0 is the anchor and view 1 the "
                "positive: set view to 2 or more."
            )


@MODELS.register_module()
class RelativeSpeedLoss(_ExtraViewLoss):
    """Loss that wants a clip at double speed farther from the anchor than the positive.

    The positive has normal speed. The fast clip is from the same video: the view
    ``'fast_positive'`` of ``ClusterAwareDataset``. Relative-speed perception is an option of the
    code of SLIC's authors, after Chen et al., "RSPNet", AAAI 2021.

    Args:
        margin: Margin in units of the metric.
        view: Index of the fast view. The first of the dataset's ``extra_views`` has index 3.
        metric: ``'cosine'`` or ``'euclidean'``.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If the metric is unknown or the view is the anchor or the positive.

    Examples:
        >>> from mmaction.registry import MODELS
        >>> loss = MODELS.build(dict(type="RelativeSpeedLoss", margin=0.1))
        >>> anchor, positive, fast = [1.0, 0.0], [0.9, 0.1], [0.0, 1.0]
        >>> loss(torch.tensor([[anchor, positive, anchor, fast]]))  # (N, V, D), one video
        {'loss_speed': tensor(0.), 'speed_gap': tensor(0.9939)}
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
    """Loss that wants the anchor's shuffled frames farther from the anchor than the positive.

    The shuffled frames are the view ``'shuffled_anchor'`` of ``ClusterAwareDataset``.
    Intra-negatives are an option of the code of SLIC's authors, after Tao et al.,
    "Self-supervised Video Representation Learning Using Inter-intra Contrastive Framework",
    ACM MM 2020.

    Args:
        margin: Margin in units of the metric.
        view: Index of the shuffled view. The first of the dataset's ``extra_views`` has index 3.
        metric: ``'cosine'`` or ``'euclidean'``.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If the metric is unknown or the view is the anchor or the positive.

    Examples:
        >>> from mmaction.registry import MODELS
        >>> loss = MODELS.build(dict(type="IntraVideoNegativeLoss", margin=0.04))
        >>> anchor, positive, shuffled = [1.0, 0.0], [0.0, 1.0], [0.9, 0.1]
        >>> loss(torch.tensor([[anchor, positive, anchor, shuffled]]))  # (N, V, D), one video
        {'loss_intra': tensor(0.4136), 'intra_gap': tensor(-0.9939)}
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
