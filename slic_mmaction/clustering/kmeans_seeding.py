"""Where k-means places its centres: at the start, and when a cluster has run empty."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

INITS = ("k-means++", "random")


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
        return points[drawn.to(points.device)].unique(dim=0)
    chosen = int(torch.randint(len(points), (1,), generator=generator))
    centers = [points[chosen]]
    nearest = squared_distances(points, centers[0])
    while len(centers) < num_clusters:
        # Summed on the CPU: a cumulative sum on a GPU may differ from run to run.
        total = nearest.cpu().double().cumsum(0)
        if total[-1] == 0:
            break
        # In 0 < draw <= total, which never falls on a row of weight 0.
        draw = total[-1] * (1 - torch.rand(1, generator=generator, dtype=torch.float64))
        centers.append(points[int(torch.searchsorted(total, draw))])
        nearest = torch.minimum(nearest, squared_distances(points, centers[-1]))
    return torch.stack(centers)


def squared_distances(points: Tensor, center: Tensor) -> Tensor:
    """Squared distances (N,) of points (N, D) from one centre (D,), exactly 0 for equal rows."""
    differences = torch.cdist(
        points, center[None], compute_mode="donot_use_mm_for_euclid_dist"
    )  # The expansion by inner products would make equal rows differ by rounding.
    return differences[:, 0].square()


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
