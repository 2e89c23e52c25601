"""DBSCAN in O(N) memory: the neighbourhoods are gone through, never stored."""

from __future__ import annotations

import numpy as np
import torch

from .components import Components
from .near_pairs import near_pairs
from .prepared_rows import PreparedRows

NOISE = -1


def dbscan(rows: PreparedRows, eps: float, min_samples: int) -> np.ndarray:
    """Density-based clusters and noise (Ester et al., KDD 1996).

    A core point has ``min_samples`` points within ``eps``, itself included. Clusters are the
    components of core points within ``eps`` of each other. Another point within ``eps`` of core
    points goes to that of their clusters that has the lowest core point, as in scikit-learn,
    and is noise if there is none.

    Args:
        rows: N rows.
        eps: Radius of a neighbourhood.
        min_samples: At least 1.

    Returns:
        (N,) int64, the lowest core point of the cluster, or -1 for noise.
    """
    if min_samples <= 2:
        # Points that have a neighbour are core points; those that have none join nothing.
        core = np.ones(len(rows), dtype=bool)
    else:
        core = _counts_up_to(rows, eps, min_samples) >= min_samples
    clusters = Components(len(rows))
    borders = [np.empty((2, 0), dtype=np.int64)]
    for i, j in near_pairs(rows, eps, clusters.are_one):
        ends = np.stack([i.cpu().numpy(), j.cpu().numpy()])
        inner = core[ends]
        both = inner.all(0)
        clusters.join(*torch.from_numpy(ends[:, both]))
        # A point that is not core has fewer than min_samples of these.
        borders += [ends[:, inner[0] & ~both], ends[::-1, inner[1] & ~both]]
    lowest = clusters.lowest()
    labels = np.where(core, lowest, len(rows))
    center, point = np.concatenate(borders, 1)
    np.minimum.at(labels, point, lowest[center])
    if min_samples == 2:
        labels[np.bincount(lowest, minlength=len(rows))[lowest] == 1] = NOISE
    return np.where(labels == len(rows), NOISE, labels)


def _counts_up_to(rows: PreparedRows, radius: float, enough: int) -> np.ndarray:
    """Rows (N,) within the radius of each row, itself included; some are left out after enough."""
    counts = np.ones(len(rows), dtype=np.int64)

    def have_enough(first: slice, second: slice) -> bool:
        return bool(min(counts[first].min(), counts[second].min()) >= enough)

    for ends in near_pairs(rows, radius, have_enough):
        for end in ends:
            found, times = np.unique(end.cpu().numpy(), return_counts=True)
            counts[found] += times
    return counts
