"""Linkage by scipy, on all distances."""

from __future__ import annotations

import numpy as np
import torch
from scipy.cluster import hierarchy

from .prepared_rows import PreparedRows


def scipy_linkage(rows: PreparedRows, threshold: float, linkage: str) -> np.ndarray:
    """Clusters of scipy's tree, cut at a threshold, in 8 N^2 bytes.

    Args:
        rows: N rows. With the cosine metric, a zero row is at distance 1 from all.
        threshold: Clusters this far apart or farther are not merged.
        linkage: ``'average'``, ``'complete'`` or another method of scipy.

    Returns:
        (N,) int64.
    """
    if len(rows) == 1:
        return np.zeros(1, dtype=np.int64)
    tree = hierarchy.linkage(_distances(rows), linkage)
    # scipy merges clusters at the threshold, too.
    labels = hierarchy.fcluster(tree, np.nextafter(threshold, -1), "distance")
    return labels.astype(np.int64)


def _distances(rows: PreparedRows) -> np.ndarray:
    """Distances of all pairs (N (N - 1) / 2,) float64, in scipy's order."""
    size = len(rows)
    distances = np.empty(size * (size - 1) // 2)
    everything = torch.cat([rows.exact(block) for block in rows.blocks()])
    end = 0
    for block in rows.blocks(size):
        some, rest = everything[block], everything[block.start :]
        if rows.metric == "cosine":
            gaps = (1 - some @ rest.t()).clamp_min_(0)
        else:
            gaps = torch.cdist(some, rest, compute_mode="donot_use_mm_for_euclid_dist")
        for index, row in enumerate(gaps.cpu().numpy(), start=1):
            start, end = end, end + len(row) - index
            distances[start:end] = row[index:]
    return distances
