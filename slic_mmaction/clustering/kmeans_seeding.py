"""Where k-means places its centres: at the start, and when a cluster has run empty."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .kmeans_passes import block_rows, center_offset, nearest

INITS = ("k-means++", "random")
_MOST_CANDIDATES = 1024


def initial_centers(
    points: Tensor, num_clusters: int, init: str, generator: torch.Generator
) -> Tensor:
    """Distinct rows of ``points`` to start from.

    Random numbers come from a generator on the CPU, so a seed means the same draws on
    every device.

    Args:
        points (Tensor): (N, D) float32.
        num_clusters (int): Centres wanted, 1..N.
        init (str): ``'k-means++'``, each next centre drawn with a probability in
            proportion to the squared distance from the nearest one so far (Arthur and
            Vassilvitskii, SODA 2007), or ``'random'``, drawn evenly.
        generator (torch.Generator): On the CPU.

    Returns:
        Tensor: (K, D), K <= ``num_clusters``: less if drawn rows are equal, or if there
        are not that many different ones.
    """
    if init == "random":
        drawn = torch.randperm(len(points), generator=generator)[:num_clusters]
    else:
        drawn = torch.tensor(_plus_plus(points, num_clusters, generator))
    return points[drawn.to(points.device)].unique(dim=0)


def _plus_plus(points: Tensor, num_clusters: int, generator: torch.Generator) -> list[int]:
    """Indices of k-means++ centres.

    Drawn many at a time, so that distances come from matrix products: each candidate is drawn by
    the weights at the start of its batch and accepted with the share of its weight that the
    centres since have left, which is the same distribution (rejection sampling, Cohen-Addad et
    al., NeurIPS 2020). 50,000 x 128, 1000 centres, one thread: 0.24 s for 3.5 s one by one.
    """
    chosen = [int(torch.randint(len(points), (1,), generator=generator))]
    squares = points.square().sum(1)
    weights = torch.full_like(squares, torch.inf)
    fresh = chosen
    while True:
        _lower_weights(points, squares, points[fresh], weights)
        # Summed on the CPU: a cumulative sum on a GPU may differ from run to run.
        total = weights.cpu().double().cumsum(0)
        if len(chosen) == num_clusters or total[-1] == 0:
            return chosen
        size = min(max(16, len(chosen)), _MOST_CANDIDATES)
        uniform = torch.rand(2, size, generator=generator, dtype=torch.float64)
        # In 0 < draw <= total, which never falls on a row of weight 0.
        candidates = torch.searchsorted(total, total[-1] * (1 - uniform[0]))
        rows = candidates.to(points.device)
        accepted = _accept(points[rows].cpu(), weights[rows].cpu(), uniform[1])
        fresh = candidates[accepted].tolist()[: num_clusters - len(chosen)]
        chosen = chosen + fresh


def _lower_weights(points: Tensor, squares: Tensor, centers: Tensor, weights: Tensor) -> None:
    """Lower weights (N,) to squared distances from new centres (C, D), 0 for equal rows."""
    offset = center_offset(centers)
    size = block_rows(len(centers), points.device)
    for rows, square, weight in zip(points.split(size), squares.split(size), weights.split(size)):
        found, score = nearest(rows, centers, offset)
        distances = (square - 2 * score).clamp_min_(0)
        # Where the difference has lost its digits.
        close = (distances < 1e-4 * square).nonzero().flatten()
        distances[close] = (rows[close] - centers[found[close]]).square().sum(1)
        torch.minimum(weight, distances, out=weight)


def _accept(candidates: Tensor, weights: Tensor, uniform: Tensor) -> list[int]:
    """Candidates (C, D), in turn, each with the share of its weight that is left; the first always.

    Args:
        candidates (Tensor): (C, D) float32 on the CPU.
        weights (Tensor): (C,) float32, by which they were drawn.
        uniform (Tensor): (C,) draws in [0, 1).
    """
    exact = candidates.double()
    squares = exact.square().sum(1)
    mutual = (squares[:, None] + squares - 2 * exact @ exact.t()).numpy()
    drawn_by = weights.double().numpy()
    left = drawn_by.copy()
    accepted = []
    for index, threshold in enumerate((uniform.numpy() * drawn_by).tolist()):
        if threshold < left[index]:
            accepted.append(index)
            np.minimum(left, mutual[index], out=left)
    return accepted


def refill_empty(
    points: Tensor, labels: Tensor, distances: Tensor, num_clusters: int, resolution: float
) -> Tensor:
    """Give every empty cluster the point farthest from its centre.

    A cluster's last member stays, and two equal points do not found two clusters. What
    lies on its centre cannot found one either: with fewer different points than
    clusters, the rest stay empty.

    Args:
        points (Tensor): (N, D) float32.
        labels (Tensor): (N,) int64 in 0..``num_clusters`` - 1.
        distances (Tensor): (N,) squared distances of points from their centres.
        num_clusters (int): Clusters wanted.
        resolution (float): Squared distance up to which a point lies on its centre.

    Returns:
        Tensor: (N,) int64 labels.
    """
    counts = torch.bincount(labels, minlength=num_clusters).tolist()
    empty = [cluster for cluster, count in enumerate(counts) if count == 0]
    filled = labels.clone()
    far = (distances > resolution).nonzero().flatten()
    far = far[distances[far].argsort(descending=True, stable=True)]
    founders: set[bytes] = set()
    for index, label in zip(far.tolist(), labels[far].tolist()):
        if len(founders) == len(empty):
            break
        row = np.ascontiguousarray(points[index].cpu().numpy()).tobytes()
        if counts[label] > 1 and row not in founders:
            counts[label] -= 1
            filled[index] = empty[len(founders)]
            founders.add(row)
    return filled
