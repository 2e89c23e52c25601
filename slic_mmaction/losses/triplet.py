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
    """Distances of the pairs of M embeddings, each (M, M), valid where ``mined.pairs`` is true."""

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
    """Average ``values`` over ``mask``; 0, still connected to the graph, for an empty mask."""
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp_min(1)


def pseudo_label_triplet_loss(
    embeddings: Tensor,
    labels: Labels,
    margin: float = 0.2,
    mining: str = "random_violating",
    metric: str = "cosine",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Compute the triplet margin loss of SLIC (Khorasgani et al., CVPR 2022, section 3).

    For every pair i < j with the same label, one negative n with another label is chosen
    (:func:`~slic_mmaction.losses.mining.mine_negatives`). The loss is the mean over these
    triplets of ``max(0, d(i, j) - d(i, n) + margin)``. Pairs without a negative do not count.

    Args:
        embeddings: (M, D), any floating dtype; anchors first, then positives.
        labels: (M,) int64 pseudo-labels, on any device or as an array or list. A label < 0 is
            noise: it never forms a pair, but may be a negative of other labels.
        margin: Margin in units of the metric.
        mining: ``'random_violating'`` (the paper's), ``'hardest_violating'`` or ``'random'``.
        metric: ``'cosine'`` (the paper's) or ``'euclidean'``.
        generator: Source of the random draws; torch's default generator if None.

    Returns:
        Scalar, float32 (float64 for float64 input). Without any triplet it is exactly 0 and has
        a gradient of zeros, so that a distributed backward pass still reaches every parameter.

    Raises:
        ValueError: If the shapes do not match, or the metric or mining is unknown.

    Examples:
        >>> from slic_mmaction.losses import pseudo_label_triplet_loss
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> pseudo_label_triplet_loss(embeddings, labels=[0, 0, 1])  # the positive is nearer
        tensor(0.)
        >>> pseudo_label_triplet_loss(embeddings, labels=[0, 1, 0])  # the negative is nearer
        tensor(1.1939)
    """
    return _triplets(embeddings, labels, margin, mining, metric, generator).loss(margin)


def isolate_noise(labels: Tensor) -> Tensor:
    """Replace every noise label (< 0) of labels (N,) int64 by a new label of its own.

    A noise video is then a positive of itself only.
    """
    if labels.numel() == 0:
        return labels
    fresh = labels.amax().clamp_min(-1) + 1 + torch.arange(labels.numel(), device=labels.device)
    return torch.where(labels < 0, fresh, labels)


@MODELS.register_module()
class PseudoLabelTripletLoss(nn.Module):
    """:func:`pseudo_label_triplet_loss` as a module, for the views of a batch of videos.

    Args:
        margin: Margin in units of the metric.
        mining: ``'random_violating'``, ``'hardest_violating'`` or ``'random'``.
        metric: ``'cosine'`` or ``'euclidean'``.
        loss_weight: Factor of the loss.
        gather: Whether to compute the loss of the batches of all ranks together
            (:func:`~slic_mmaction.losses.gather.gather_batch`). Its value, its gradient after
            DistributedDataParallel's mean and the mined negatives are then those of one process
            with the whole batch.

    Raises:
        ValueError: If the metric or mining is unknown.

    Examples:
        >>> from mmaction.registry import MODELS
        >>> loss = MODELS.build(dict(type="PseudoLabelTripletLoss", margin=0.2))
        >>> views = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [0.9, 0.1]]])  # (N, V, D)
        >>> loss(views, labels=torch.tensor([0, 1]))
        {'loss_triplet': tensor(0.6939), 'triplets': tensor(2.),
         'violating_share': tensor(0.7500), 'positive_distance': tensor(0.5000),
         'negative_distance': tensor(0.0061)}
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
        """Compute the loss of a batch and counters to log.

        Args:
            embeddings: (N, V, D) with V >= 2; view 0 is the anchor, view 1 the positive.
            labels: (N,) int64 pseudo-labels; a noise video (< 0) has only its own positive.
            generator: Source of the random draws; torch's default generator if None. With
                ``gather`` it is set to the state of rank 0's generator.

        Returns:
            ``loss_triplet`` (weighted) and the detached float32 scalars ``triplets`` (count),
            ``violating_share`` (mean over pairs of the share of negatives that violate the
            margin), ``positive_distance`` and ``negative_distance`` (means over the triplets).

        Raises:
            ValueError: If there are fewer than two views, or not one label per video.
        """
        gather = self.gather and several_ranks()
        # Gather before noise videos get labels of their own: ranks would give the same ones.
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
