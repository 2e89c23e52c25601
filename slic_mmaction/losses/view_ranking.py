"""Losses on the order of two views' distances from the anchor."""

from __future__ import annotations

from typing import ClassVar

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from .distances import METRICS, paired_distance

ANCHOR, POSITIVE = 0, 1


class _ViewRankingLoss(nn.Module):
    """Mean over the batch of ``max(0, d(anchor, positive) - d(anchor, far view) + margin)``."""

    name: ClassVar[str]
    """The scalars are ``loss_<name>`` and ``<name>_gap``."""
    far_view: ClassVar[str]
    """What the view that is to be far is called in ``ClusterAwareDataset.extra_views``."""

    def __init__(self, margin: float, view: int, metric: str, loss_weight: float) -> None:
        super().__init__()
        if metric not in METRICS or view <= POSITIVE:
            raise ValueError(
                f"{type(self).__name__} got metric={metric!r} and view={view}: choose a metric of "
                f"{', '.join(METRICS)} and a view after the anchor (0) and the positive (1)."
            )
        self.margin = margin
        self.view = view
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
            embeddings: (N, V, D); view 0 is the anchor, view 1 the positive.
            labels: Not used; taken, like ``generator``, so that every loss of the head is
                called alike.
            generator: Not used.

        Returns:
            ``loss_<name>`` (weighted) and ``<name>_gap``, the detached mean of
            ``d(anchor, far view) - d(anchor, positive)``.

        Raises:
            ValueError: If there is no such view.
        """
        if embeddings.ndim != 3 or embeddings.size(1) <= self.view:
            raise ValueError(
                f"{type(self).__name__} needs embeddings (N, V, D) with V > {self.view}, but got "
                f"shape {tuple(embeddings.shape)}: add {self.far_view!r} to the extra_views of "
                f"ClusterAwareDataset, whose first one is view 3."
            )
        anchor, positive, far = (embeddings[:, v] for v in (ANCHOR, POSITIVE, self.view))
        gap = paired_distance(anchor, far, self.metric) - paired_distance(
            anchor, positive, self.metric
        )
        loss = (self.margin - gap).relu().mean()
        return {
            f"loss_{self.name}": self.loss_weight * loss,
            f"{self.name}_gap": gap.detach().mean().float(),
        }


@MODELS.register_module()
class RelativeSpeedLoss(_ViewRankingLoss):
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
    far_view = "fast_positive"

    def __init__(
        self,
        margin: float = 0.1,
        view: int = 3,
        metric: str = "cosine",
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(margin, view, metric, loss_weight)


@MODELS.register_module()
class IntraVideoNegativeLoss(_ViewRankingLoss):
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
    far_view = "shuffled_anchor"

    def __init__(
        self,
        margin: float = 0.04,
        view: int = 3,
        metric: str = "cosine",
        loss_weight: float = 0.4,
    ) -> None:
        super().__init__(margin, view, metric, loss_weight)
