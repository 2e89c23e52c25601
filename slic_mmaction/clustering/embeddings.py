"""What every clusterer accepts: a finite (N, D) matrix."""

from __future__ import annotations

from typing import Union

import numpy as np
import torch
from torch import Tensor

METRICS = ("cosine", "euclidean")
Embeddings = Union[np.ndarray, Tensor]


def as_matrix(embeddings: Embeddings, metric: str) -> Tensor:
    """Check embeddings and return them as a detached float32 tensor where they are.

    Args:
        embeddings: (N, D) array or tensor, N >= 1, of any real dtype.
        metric: ``'cosine'`` or ``'euclidean'``.

    Returns:
        (N, D) float32 tensor, on the device of ``embeddings``.

    Raises:
        ValueError: If the shape, a value or the metric is unusable.
    """
    if metric not in METRICS:
        raise ValueError(f"Unknown metric {metric!r}: choose 'cosine' or 'euclidean'.")
    matrix = torch.as_tensor(embeddings).detach().float()
    if matrix.ndim != 2 or matrix.numel() == 0:
        raise ValueError(
            f"Clustering needs embeddings of shape (N, D) with at least one row, "
            f"but got {tuple(matrix.shape)}."
        )
    bad = (~matrix.isfinite().all(dim=1)).nonzero().flatten().tolist()
    if bad:
        raise ValueError(
            f"{len(bad)} of {len(matrix)} embeddings have NaN or Inf, the first in "
            f"row {bad[0]}: look for a diverged network or a broken video."
        )
    return matrix


def unit_rows(matrix: Tensor) -> Tensor:
    """Rows scaled to length 1 in the matrix's own precision; zero rows stay zero."""
    # Dividing by the largest entry first keeps squares from under- and overflowing.
    tiny = torch.finfo(matrix.dtype).tiny
    scaled = matrix / matrix.abs().amax(dim=1, keepdim=True).clamp_min(tiny)
    return scaled / scaled.norm(dim=1, keepdim=True).clamp_min(tiny)


def renumber(labels: np.ndarray) -> np.ndarray:
    """Labels 0, 1, ... in the order in which they first appear.

    Args:
        labels: (N,) integers.

    Returns:
        (N,) int64.
    """
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]
