"""Choice of one negative per (anchor, positive) pair, dense and without host synchronisation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

STRATEGIES = ("random_violating", "hardest_violating", "random")


class MinedNegatives(NamedTuple):
    """Negatives for all pairs of a batch of M embeddings.

    Attributes:
        negatives: (M, M) int64, the negative of pair (anchor i, positive j). Meaningful where
            ``pairs`` holds.
        violating: (M, M) int64, how many negatives n of anchor i have
            d(i, n) < d(i, j) + margin; 0 where ``pairs`` does not hold.
        available: (M,) int64, how many negatives anchor i has.
        pairs: (M, M) bool, the pairs that have a negative.
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

    ``random_violating`` is SLIC's rule (CVPR 2022): uniform among the negatives
    with ``d(i, n) < d(i, j) + margin``, hard and semi-hard alike, and the closest negative where
    there is none. (The authors' code uses the index of that closest negative without mapping it
    back to the batch, so it may pick an item of the anchor's own label.)
    ``hardest_violating`` takes the most violating one, which is always the closest negative.
    ``random`` draws from all negatives.

    Every row of distances is sorted once; the violating negatives of a pair are then a prefix of
    the row whose length a binary search finds. Time O(M^2 log M), memory O(M^2), and no step
    whose shape depends on the data, so a GPU is never waited for.

    Args:
        distances: (M, M), row i the distances of anchor i.
        labels: (M,) int64; noise (< 0) forms no pair but is a negative for others.
        margin: Margin in the unit of ``distances``.
        strategy: One of ``'random_violating'``, ``'hardest_violating'``, ``'random'``.
        generator: Source of the draws; the default generator if None.

    Returns:
        The chosen negatives and their counts.

    Raises:
        ValueError: If the strategy is unknown.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"Unknown mining {strategy!r}: choose one of {', '.join(STRATEGIES)}.")
    negative = labels[:, None] != labels[None, :]
    available = negative.sum(1)
    pairs = (~negative & ((labels >= 0) & (available > 0))[:, None]).triu(diagonal=1)

    ordered, order = _sort_rows(_sortable(distances.masked_fill(~negative, torch.inf)))
    # Asking -inf for entries that are no pair answers 0 and keeps the search's branches
    # predictable, which is much faster on a CPU.
    threshold = _sortable(torch.where(pairs, distances + margin, -torch.inf))
    violating = torch.searchsorted(ordered, threshold)

    if strategy == "hardest_violating":
        return MinedNegatives(order[:, :1].expand_as(order), violating, available, pairs)
    choices = violating if strategy == "random_violating" else available[:, None]
    device = distances.device if generator is None else generator.device
    draw = torch.rand(distances.shape, generator=generator, device=device).to(distances.device)
    # A draw is at most 1 - 2^-24, and its float32 product with k < 2^24 rounds below k. No choice
    # at all (k = 0) gives rank 0, the closest negative.
    rank = draw.mul_(choices).long()
    return MinedNegatives(order.gather(1, rank), violating, available, pairs)


def _sortable(values: Tensor) -> Tensor:
    """Integers in the order of floats: their bits, with those below the sign of negatives flipped.

    Comparing integers needs no care for NaN, which makes the sort faster on a CPU.
    """
    wide = values.dtype == torch.float64
    # Adding zero turns -0.0, which would sort below 0.0, into 0.0.
    bits = (values + 0.0).view(torch.int64 if wide else torch.int32)
    magnitude = torch.iinfo(bits.dtype).max
    return bits ^ ((bits >> (63 if wide else 31)) & magnitude)


def _sort_rows(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Sorted rows and the order that sorts them, of (M, M) integers."""
    if keys.device.type != "cpu" or keys.dtype != torch.int32:
        return keys.sort(dim=1)
    # NumPy sorts with vector instructions: with key and column in one integer it is faster.
    packed = keys.long() << 32 | torch.arange(keys.size(1))
    packed = torch.from_numpy(np.sort(packed.numpy(), axis=1))
    return (packed >> 32).int(), packed & 0xFFFFFFFF
