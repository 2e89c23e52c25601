"""What every clusterer accepts: a finite (N, D) matrix."""

from __future__ import annotations

import warnings
from typing import Union

import numpy as np
import torch
from torch import Tensor

METRICS = ("cosine", "euclidean")
_BLOCK_ELEMENTS = 1 << 22
Embeddings = Union[np.ndarray, Tensor]


def check_matrix(embeddings: Embeddings, metric: str) -> Tensor:
    """Check embeddings and return them as a tensor, without a copy.

    Args:
        embeddings: (N, D) array or tensor, N >= 1, of any real dtype, memory-mapped or not.
        metric: ``'cosine'`` or ``'euclidean'``.

    Returns:
        (N, D) detached tensor of a float dtype, on the device of ``embeddings``.

    Raises:
        ValueError: If the shape, a value or the metric is unusable.
    """
    if metric not in METRICS:
        raise ValueError(f"Unknown metric {metric!r}: choose 'cosine' or 'euclidean'.")
    with warnings.catch_warnings():
        # A file mapped for reading is as good: nothing here writes into embeddings.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        matrix = torch.as_tensor(embeddings).detach()
    if matrix.ndim != 2 or matrix.numel() == 0:
        raise ValueError(
            f"Clustering needs embeddings of shape (N, D) with at least one row, "
            f"but got {tuple(matrix.shape)}."
        )
    if not matrix.is_floating_point():
        matrix = matrix.float()
    rows = max(1, _BLOCK_ELEMENTS // matrix.size(1))
    finite = [block.float().isfinite().all(dim=1) for block in matrix.split(rows)]
    bad = (~torch.cat(finite)).nonzero().flatten()
    if len(bad):
        raise ValueError(
            f"{len(bad)} of {len(matrix)} embeddings have NaN or Inf, the first in "
            f"row {int(bad[0])}: look for a diverged network or a broken video."
        )
    return matrix


def as_matrix(embeddings: Embeddings, metric: str) -> Tensor:
    """:func:`check_matrix` in float32: a copy unless the embeddings are float32."""
    return check_matrix(embeddings, metric).float()


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
