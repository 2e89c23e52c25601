"""Triplet margin loss over pseudo-labels: all positive pairs, one mined negative each."""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from .distances import METRICS, Labels, pairwise_distance
from .gather import anchors_and_positives, several_ranks, share_generator
from .mining import STRATEGIES, MinedNegatives, mine_negatives


class _Triplets(NamedTuple):
    """Per-pair distances of a batch of M embeddings, each (M, M), valid where ``mined.pairs``."""

    mined: MinedNegatives
    positive: Tensor
    negative: Tensor

    def loss(self, margin: float) -> Tensor:
        violation = (self.positive - self.negative + margin).relu()
        return _masked_mean(violation, self.mined.pairs)


def _triplets(
    embeddings: Tensor,
    labels: Labels,
    margin: float,
    mining: str,
    metric: str,
    generator: torch.Generator | None,
) -> _Triplets:
    labels = torch.as_tensor(labels, device=embeddings.device)
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            f"The triplet loss needs embeddings (M, D) and labels (M,), but got "
            f"{tuple(embeddings.shape)} and {tuple(labels.shape)}."
        )
    distances = pairwise_distance(embeddings, embeddings, metric)
    mined = mine_negatives(distances.detach(), labels, margin, mining, generator)
    return _Triplets(mined, distances, distances.gather(1, mined.negatives))


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` where ``mask``; 0, still connected to the graph, where none is."""
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp_min(1)


def pseudo_label_triplet_loss(
    embeddings: Tensor,
    labels: Labels,
    margin: float = 0.2,
    mining: str = "random_violating",
    metric: str = "cosine",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Triplet margin loss of SLIC (Khorasgani et al., CVPR 2022).

    For every unordered pair i < j with an equal label, one negative n of another label is chosen
    (:func:`~slic_mmaction.losses.mining.mine_negatives`); the loss is the mean over these
    triplets of ``max(0, d(i, j) - d(i, n) + margin)``. Pairs without a negative do not count.

    Args:
        embeddings: (M, D), any floating dtype; anchors first, then positives.
        labels: (M,) int64 pseudo-labels, on any device or as an array or list. A label < 0 is
            noise: it never forms a pair and may be a negative of others.
        margin: Margin in units of the metric.
        mining: ``'random_violating'`` (the paper's), ``'hardest_violating'`` or ``'random'``.
        metric: ``'cosine'`` (the paper's) or ``'euclidean'``.
        generator: Source of the random draws; torch's default generator if None.

    Returns:
        Scalar, float32 (float64 for float64 input). Without any triplet it is exactly 0 and has
        a gradient of zeros, so a distributed backward pass still meets every parameter.

    Raises:
        ValueError: If shapes do not fit, or the metric or mining is unknown.
    """
    return _triplets(embeddings, labels, margin, mining, metric, generator).loss(margin)


def isolate_noise(labels: Tensor) -> Tensor:
    """Labels (N,) int64 where every noise label (< 0) has become a new one of its own.

    A video that no cluster took still has a positive from itself, and two such videos have
    nothing in common.
    """
    if labels.numel() == 0:
        return labels
    fresh = labels.amax().clamp_min(-1) + 1 + torch.arange(labels.numel(), device=labels.device)
    return torch.where(labels < 0, fresh, labels)


@MODELS.register_module()
class PseudoLabelTripletLoss(nn.Module):
    """:func:`pseudo_label_triplet_loss` for the views of a batch of videos.

    Args:
        margin: Margin in units of the metric.
        mining: ``'random_violating'``, ``'hardest_violating'`` or ``'random'``.
        metric: ``'cosine'`` or ``'euclidean'``.
        loss_weight: Factor of the loss.
        gather: Whether the batch is that of all ranks together
            (:func:`~slic_mmaction.losses.gather.gather_batch`): value, gradient after
            DistributedDataParallel's mean and mined negatives are those of one process with the
            whole batch. Without ranks it changes nothing.

    Raises:
        ValueError: If the metric or mining is unknown.
    """

    def __init__(
        self,
        margin: float = 0.2,
        mining: str = "random_violating",
        metric: str = "cosine",
        loss_weight: float = 1.0,
        gather: bool = False,
    ) -> None:
        super().__init__()
        if mining not in STRATEGIES or metric not in METRICS:
            raise ValueError(
                f"PseudoLabelTripletLoss got mining={mining!r} and metric={metric!r}:"
                f" choose from {', '.join(STRATEGIES)} and {', '.join(METRICS)}."
            )
        self.margin = margin
        self.mining = mining
        self.metric = metric
        self.loss_weight = loss_weight
        self.gather = gather

    def forward(
        self, embeddings: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Loss of one batch, and counters to watch.

        Args:
            embeddings: (N, V, D) with V >= 2; view 0 is the anchor, view 1 the positive.
            labels: (N,) int64 pseudo-labels; a noise video (< 0) pairs with its own positive
                only.
            generator: Source of the random draws; torch's default generator if None. When
                gathering, it takes over the state of rank 0's.

        Returns:
            ``loss_triplet`` (weighted) and, detached float32 scalars, ``triplets`` (count),
            ``violating_share`` (mean over pairs of the share of negatives that violate the
            margin), ``positive_distance`` and ``negative_distance`` (means over the triplets).

        Raises:
            ValueError: If there are fewer than two views or the labels do not fit.
        """
        gather = self.gather and several_ranks()
        # Before noise videos get labels of their own, which would be the same on each rank.
        views, labels = anchors_and_positives(type(self).__name__, embeddings, labels, gather)
        if gather:
            generator = share_generator(generator, views.device)
        flat = torch.cat((views[:, 0], views[:, 1]))
        triplets = _triplets(
            flat, isolate_noise(labels).repeat(2), self.margin, self.mining, self.metric, generator
        )
        mined = triplets.mined
        share = mined.violating / mined.available.clamp_min(1)[:, None]
        counters = {
            "triplets": mined.pairs.sum(),
            "violating_share": _masked_mean(share, mined.pairs),
            "positive_distance": _masked_mean(triplets.positive.detach(), mined.pairs),
            "negative_distance": _masked_mean(triplets.negative.detach(), mined.pairs),
        }
        return {
            "loss_triplet": self.loss_weight * triplets.loss(self.margin),
            **{name: value.float() for name, value in counters.items()},
        }
