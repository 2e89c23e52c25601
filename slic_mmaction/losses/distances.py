"""Cosine and Euclidean distances that are safe to differentiate and to autocast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

METRICS = ("cosine", "euclidean")
Labels = Tensor | np.ndarray | Sequence[int]


def pairwise_distance(x: Tensor, y: Tensor, metric: str = "cosine") -> Tensor:
    """Distance of every row of ``x`` to every row of ``y``.

    Cosine distance is ``1 - cos(x, y)``, the one SLIC trains with (Khorasgani et al., CVPR
    2022). The result is float32 even under autocast: margins of 0.04 are of the size
    of bfloat16's rounding. A zero vector has cosine distance 1 to everything, and gradient 0;
    identical points have gradient 0 with the Euclidean distance.

    Args:
        x: Embeddings, shape (M, D), any floating dtype.
        y: Embeddings, shape (K, D).
        metric: ``'cosine'`` or ``'euclidean'``.

    Returns:
        Distances, shape (M, K), float32 (float64 for float64 input).

    Raises:
        ValueError: If the metric is unknown or the shapes do not fit.
    """
    _check(x, y, metric)
    if x.size(1) != y.size(1):
        raise ValueError(
            f"pairwise_distance needs embeddings of one width, but x has shape "
            f"{tuple(x.shape)} and y {tuple(y.shape)}."
        )
    with torch.autocast(x.device.type, enabled=False):
        x, y = _full_precision(x), _full_precision(y)
        if metric == "cosine":
            return 1 - _unit(x) @ _unit(y).t()
        # The matrix-product shortcut of cdist loses half the digits of small distances.
        return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def paired_distance(x: Tensor, y: Tensor, metric: str = "cosine") -> Tensor:
    """Distances (N,) of each row of ``x`` (N, D) to the same row of ``y`` (N, D).

    Dtypes, metrics and errors are those of :func:`pairwise_distance`.
    """
    _check(x, y, metric)
    if x.shape != y.shape:
        raise ValueError(
            f"paired_distance compares row by row, but x has shape "
            f"{tuple(x.shape)} and y {tuple(y.shape)}."
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
    """Rows scaled to length 1; a zero row stays zero and passes no gradient.

    ``x / max(norm, eps)`` would multiply the gradient of a zero row by 1 / eps.
    """
    squared = x.square().sum(-1, keepdim=True)
    zero = squared < torch.finfo(x.dtype).tiny
    scale = torch.where(zero, 0.0, torch.where(zero, 1.0, squared).rsqrt())
    return x * scale
