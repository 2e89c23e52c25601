"""Cosine and Euclidean distances that are safe to differentiate and to autocast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

METRICS = ("cosine", "euclidean")
Labels = Tensor | np.ndarray | Sequence[int]


def pairwise_distance(x: Tensor, y: Tensor, metric: str = "cosine") -> Tensor:
    """Compute the distance of every row of ``x`` to every row of ``y``.

    The cosine distance is ``1 - cos(x, y)``. SLIC trains with it (Khorasgani et al., CVPR 2022,
    section 3). The result is float32 even under autocast, because a margin of 0.04 is as small
    as bfloat16's rounding error. A zero vector has cosine distance 1 to every vector, and
    gradient 0. With the Euclidean distance, identical points have gradient 0.

    Args:
        x: Embeddings, shape (M, D), any floating dtype.
        y: Embeddings, shape (K, D).
        metric: ``'cosine'`` or ``'euclidean'``.

    Returns:
        Distances, shape (M, K), float32 (float64 for float64 input).

    Raises:
        ValueError: If the metric is unknown or the shapes do not match.

    Examples:
        >>> from slic_mmaction.losses import pairwise_distance
        >>> x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]])
        >>> pairwise_distance(x, y)
        tensor([[0., 1.]])
        >>> pairwise_distance(x, y, metric="euclidean")
        tensor([[1.0000, 3.1623]])
    """
    _check(x, y, metric)
    if x.size(1) != y.size(1):
        raise ValueError(
            f"pairwise_distance needs embeddings of the same width, but x has shape "
            f"{tuple(x.shape)} and y has {tuple(y.shape)}."
        )
    with torch.autocast(x.device.type, enabled=False):
        x, y = _full_precision(x), _full_precision(y)
        if metric == "cosine":
            return 1 - _unit(x) @ _unit(y).t()
        # The matrix-product shortcut of cdist loses half the digits of small distances.
        return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def paired_distance(x: Tensor, y: Tensor, metric: str = "cosine") -> Tensor:
    """Compute the distance of each row of ``x`` to the same row of ``y``.

    See :func:`pairwise_distance` for zero vectors, gradients and autocast.

    Args:
        x: Embeddings, shape (N, D), any floating dtype.
        y: Embeddings, shape (N, D).
        metric: ``'cosine'`` or ``'euclidean'``.

    Returns:
        Distances, shape (N,), float32 (float64 for float64 input).

    Raises:
        ValueError: If the metric is unknown or the shapes differ.

    Examples:
        >>> from slic_mmaction.losses import paired_distance
        >>> x, y = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, -1.0]])
        >>> paired_distance(x, y)
        tensor([0., 2.])
    """
    _check(x, y, metric)
    if x.shape != y.shape:
        raise ValueError(
            f"paired_distance needs two tensors of the same shape, but x has shape "
            f"{tuple(x.shape)} and y has {tuple(y.shape)}."
        )
    with torch.autocast(x.device.type, enabled=False):
        x, y = _full_precision(x), _full_precision(y)
        if metric == "cosine":
            return 1 - (_unit(x) * _unit(y)).sum(-1)
        squared = (x - y).square().sum(-1)
        same = squared == 0
        # The inner `where` keeps sqrt's infinite slope at 0 out of the backward pass.
        return torch.where(same, 0.0, torch.where(same, 1.0, squared).sqrt())


def _check(x: Tensor, y: Tensor, metric: str) -> None:
    if metric not in METRICS:
        raise ValueError(f"Unknown metric {metric!r}: choose 'cosine' or 'euclidean'.")
    if x.ndim != 2 or y.ndim != 2:
        raise ValueError(
            f"Distances need embeddings of shape (rows, D), but got "
            f"{tuple(x.shape)} and {tuple(y.shape)}."
        )


def _full_precision(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _unit(x: Tensor) -> Tensor:
    """Scale rows to length 1. A zero row stays zero and gets gradient 0.

    ``x / max(norm, eps)`` would multiply the gradient of a zero row by 1 / eps.
    """
    squared = x.square().sum(-1, keepdim=True)
    zero = squared < torch.finfo(x.dtype).tiny
    scale = torch.where(zero, 0.0, torch.where(zero, 1.0, squared).rsqrt())
    return x * scale
