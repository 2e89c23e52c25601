"""Choosing one negative for each (anchor, positive) pair, without host synchronisation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

STRATEGIES = ("random_violating", "hardest_violating", "random")


class MinedNegatives(NamedTuple):
    """Negatives for all pairs of a batch of M embeddings.

    Attributes:
        negatives: (M, M) int64, the negative of pair (anchor i, positive j). Valid only where
            ``pairs`` is true.
        violating: (M, M) int64, the number of negatives n of anchor i with
            d(i, n) < d(i, j) + margin; 0 where ``pairs`` is false.
        available: (M,) int64, the number of negatives of anchor i.
        pairs: (M, M) bool, whether i < j is a positive pair that has a negative.

    Examples:
        >>> from slic_mmaction.losses import mine_negatives
        >>> distances = torch.tensor([[0.0, 0.1, 0.2], [0.1, 0.0, 0.9], [0.2, 0.9, 0.0]])
        >>> mined = mine_negatives(distances, labels=torch.tensor([0, 0, 1]), margin=0.2)
        >>> mined.pairs.nonzero()  # the only pair is (0, 1)
        tensor([[0, 1]])
        >>> mined.violating[0, 1]  # the one negative, 2, violates the margin: 0.2 < 0.1 + 0.2
        tensor(1)
    """

    negatives: Tensor
    violating: Tensor
    available: Tensor
    pairs: Tensor


@torch.no_grad()
def mine_negatives(
    distances: Tensor,
    labels: Tensor,
    margin: float,
    strategy: str = "random_violating",
    generator: torch.Generator | None = None,
) -> MinedNegatives:
    """Choose one negative for every positive pair.

    ``random_violating`` is SLIC's rule (Khorasgani et al., CVPR 2022, section 3). It draws
    uniformly from the negatives with ``d(i, n) < d(i, j) + margin``, hard and semi-hard alike,
    and takes the closest negative where there is none. (The authors' code does not map the index
    of that closest negative back to the batch, so it may pick an item of the anchor's label.)
    ``hardest_violating`` takes the closest negative, which violates the margin most. ``random``
    draws from all negatives.

    Every row of distances is sorted once. The violating negatives of a pair are then a prefix of
    the row, and a binary search finds its length. Time is O(M^2 log M) and memory is O(M^2). No
    shape depends on the data, so the host never waits for the GPU.

    Args:
        distances: (M, M) floats; row i has the distances of anchor i.
        labels: (M,) int64; noise (< 0) forms no pair, but is a negative of other labels.
        margin: Margin in the unit of ``distances``.
        strategy: ``'random_violating'``, ``'hardest_violating'`` or ``'random'``.
        generator: Source of the random draws; torch's default generator if None.

    Returns:
        The chosen negatives and their counts.

    Raises:
        ValueError: If the strategy is unknown.

    Examples:
        >>> from slic_mmaction.losses import mine_negatives
        >>> distances = torch.tensor([[0.0, 0.1, 0.2], [0.1, 0.0, 0.9], [0.2, 0.9, 0.0]])
        >>> mined = mine_negatives(distances, labels=torch.tensor([0, 0, 1]), margin=0.2)
        >>> mined.negatives[0, 1]  # of anchor 0 and positive 1
        tensor(2)
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"Unknown mining {strategy!r}: choose one of {', '.join(STRATEGIES)}.")
    negative = labels[:, None] != labels[None, :]
    available = negative.sum(1)
    pairs = (~negative & ((labels >= 0) & (available > 0))[:, None]).triu(diagonal=1)

    ordered, order = distances.masked_fill(~negative, torch.inf).sort(dim=1, stable=True)
    # A threshold of -inf gives 0 for entries that are not pairs. It keeps the search's branches
    # predictable, which is much faster on a CPU.
    threshold = torch.where(pairs, distances + margin, -torch.inf)
    violating = torch.searchsorted(ordered, threshold)

    if strategy == "hardest_violating":
        return MinedNegatives(order[:, :1].expand_as(order), violating, available, pairs)
    choices = violating if strategy == "random_violating" else available[:, None]
    device = distances.device if generator is None else generator.device
    draw = torch.rand(distances.shape, generator=generator, device=device).to(distances.device)
    # A draw is at most 1 - 2^-24, and its float32 product with k < 2^24 rounds below k. Without
    # any choice (k = 0) the rank is 0, the closest negative.
    rank = draw.mul_(choices).long()
    return MinedNegatives(order.gather(1, rank), violating, available, pairs)
