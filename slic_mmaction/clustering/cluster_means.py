"""Means of clusters, for any number of them and of points."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

_BLOCK_ELEMENTS = 1 << 22


def cluster_means(points: Tensor, labels: np.ndarray, count: int) -> Tensor:
    """Mean of every cluster.

    Args:
        points: (N, D) of any float dtype, memory-mapped or not.
        labels: (N,) int64 in 0 .. count - 1, each at least once.
        count: Number C of clusters.

    Returns:
        (C, D) float64, where ``points`` are.
    """
    sums = np.zeros((count, points.size(1)))
    step = max(1, _BLOCK_ELEMENTS // points.size(1))
    for start in range(0, len(labels), step):
        block = points[start : start + step].double().cpu().numpy()
        present, own = np.unique(labels[start : start + step], return_inverse=True)
        rows = np.arange(len(block))
        members = csr_matrix((np.ones(len(block)), (own, rows)), shape=(len(present), len(block)))
        sums[present] += members @ block
    return torch.from_numpy(sums / np.bincount(labels)[:, None]).to(points.device)
