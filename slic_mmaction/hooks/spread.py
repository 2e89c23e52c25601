"""How far apart embeddings lie: figures that show a collapse."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..nearest import exact_rows

# Rows that are looked at, evenly over all: enough for the third digit of either figure.
_SAMPLE = 4096


class Spread(NamedTuple):
    """Of embeddings as directions.

    Attributes:
        mean_cosine: Over all pairs; 1 if all directions are the same.
        effective_rank: Directions in which embeddings differ from their mean, from 1 to D: the
            exponential of the entropy of the variance's shares along its main axes (Roy and
            Vetterli, EUSIPCO 2007, of the covariance); 0 if all are the same.
    """

    mean_cosine: float
    effective_rank: float


def spread_of(embeddings: Tensor) -> Spread | None:
    """Spread of at most 4096 embeddings, in time linear in their number.

    Args:
        embeddings (Tensor): (N, D), finite, on any device or in a file.

    Returns:
        Spread | None: None if fewer than two of the looked at are not zero.
    """
    step = max(1, -(-len(embeddings) // _SAMPLE))
    sample = embeddings[::step].cpu().double()
    sample = exact_rows(sample[sample.any(dim=1)], "cosine")
    count = len(sample)
    if count < 2:
        return None
    centre = sample.mean(dim=0)
    # The squared length of the sum is that of all pairs' cosines, each row with itself included.
    mean_cosine = (count * centre.square().sum() - 1) / (count - 1)
    centred = sample - centre
    variances = torch.linalg.eigvalsh(centred.T @ centred / count).clamp_min(0)
    total = variances.sum()
    if total <= torch.finfo(torch.float32).eps ** 2:  # the rounding of equal rows
        return Spread(float(mean_cosine), 0.0)
    shares = variances[variances > 0] / total
    return Spread(float(mean_cosine), float(torch.exp(-(shares * shares.log()).sum())))
