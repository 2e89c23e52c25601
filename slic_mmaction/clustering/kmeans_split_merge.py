"""Clusters moved to where they explain more: two are merged, a third is split instead."""

from __future__ import annotations

import torch
from torch import Tensor

from .kmeans_passes import (
    block_rows,
    center_offset,
    cluster_sums,
    largest,
    own_distances,
)


def explained(sums: Tensor, counts: Tensor, spherical: bool) -> Tensor:
    """What each cluster's centre takes off the sum of squares of its points.

    The inertia is the sum of squares of all points less the sum of this.

    Args:
        sums (Tensor): (K, D) float64, the sums of the clusters' points.
        counts (Tensor): (K,) their numbers, 0 for an empty cluster.
        spherical (bool): Whether centres are means scaled to length 1, or means.

    Returns:
        Tensor: (K,) float64.
    """
    squares = sums.square().sum(1)
    if spherical:
        return torch.where(squares > 0, 2 * squares.sqrt() - counts, 0.0)
    return squares / counts.clamp_min(1)


def split_merge(
    points: Tensor,
    labels: Tensor,
    centers: Tensor,
    sums: Tensor,
    counts: Tensor,
    spherical: bool,
    least: float,
) -> Tensor:
    """Merge pairs of clusters that lie close and split as many that hold two groups.

    Lloyd's iteration cannot do this: a centre between two groups stays there, and two centres in
    one group never leave it. What a merge costs and a split gains in inertia is known exactly
    from the sums, so the inertia never increases (split-merge steps of Capo et al., TKDE 2022,
    here all profitable ones at once). Each cluster takes part in one step at most.

    Args:
        points (Tensor): (N, D) float32.
        labels (Tensor): (N,) int64.
        centers (Tensor): (K, D) float32, the centres of the labelled points.
        sums (Tensor): (K, D) float64.
        counts (Tensor): (K,) int64.
        spherical (bool): Whether centres have length 1.
        least (float): Nothing is changed unless the inertia decreases by more than this. A step
            must bring more than the K-th part of it.

    Returns:
        Tensor: (N,) int64 labels; ``labels`` itself if nothing is changed.
    """
    before = explained(sums, counts, spherical)
    partner = _nearest_other(centers, counts > 0)
    merged = explained(sums + sums[partner], counts + counts[partner], spherical)
    cost = before + before[partner] - merged
    side, gain = _halves(points, labels, centers, sums, counts, spherical)
    gain -= before
    steps = _pair_up(cost.tolist(), partner.tolist(), gain.tolist(), least)
    if not steps:
        return labels
    device = labels.device
    split, freed, kept = torch.tensor(steps, device=device).t()
    joined = torch.arange(len(counts), device=device)
    joined[freed] = kept
    taker = joined.clone()
    taker[split] = freed
    return torch.where(side, taker[labels], joined[labels])


def _nearest_other(centers: Tensor, present: Tensor) -> Tensor:
    """The non-empty cluster (K,) whose centre is nearest to each centre, itself left out."""
    nearest = torch.empty(len(centers), dtype=torch.int64, device=centers.device)
    offset = center_offset(centers).masked_fill(~present, -torch.inf)
    columns = torch.arange(len(centers), device=centers.device)
    size = block_rows(len(centers), centers.device)
    for rows, own, found in zip(centers.split(size), columns.split(size), nearest.split(size)):
        products = torch.addmm(offset, rows, centers.t())
        products.scatter_(1, own[:, None], -torch.inf)
        found.copy_(largest(products))
    return nearest


def _halves(
    points: Tensor, labels: Tensor, centers: Tensor, sums: Tensor, counts: Tensor, spherical: bool
) -> tuple[Tensor, Tensor]:
    """Cut each cluster in two.

    First across the line to its farthest point, then, as Lloyd would, in the middle between the
    means of these halves.

    Returns:
        tuple[Tensor, Tensor]: Whether a point is on the first side (N,), and what both sides of
        each cluster explain (K,) float64.
    """
    everywhere = torch.arange(len(points), device=points.device)
    distances = own_distances(points, centers, labels)
    order = distances.argsort(stable=True)
    order = order[labels[order].argsort(stable=True)]
    # An empty cluster has no farthest point; any will do, since it has no halves.
    farthest = order[(counts.cumsum(0) - 1).clamp_min(0)]
    direction = points[farthest] - centers
    threshold = (direction * centers).sum(1)
    for _ in range(2):
        side = _beyond(points, labels, direction, threshold)
        first, first_counts = cluster_sums(points, everywhere[side], labels[side], len(counts))
        second, second_counts = sums - first, counts - first_counts
        means = [
            total / number.clamp_min(1)[:, None]
            for total, number in ((first, first_counts), (second, second_counts))
        ]
        direction = (means[0] - means[1]).to(points.dtype)
        threshold = ((means[0] - means[1]) * (means[0] + means[1])).sum(1).to(points.dtype) / 2
    halves = explained(first, first_counts, spherical), explained(second, second_counts, spherical)
    return side, halves[0] + halves[1]


def _beyond(points: Tensor, labels: Tensor, direction: Tensor, threshold: Tensor) -> Tensor:
    """Whether each point (N,) lies beyond its cluster's threshold in its direction."""
    side = torch.empty(len(points), dtype=torch.bool, device=points.device)
    size = block_rows(points.size(1), points.device)
    for rows, own, beyond in zip(points.split(size), labels.split(size), side.split(size)):
        beyond.copy_((rows * direction[own]).sum(1) > threshold[own])
    return side


def _pair_up(
    cost: list[float], partner: list[int], gain: list[float], least: float
) -> list[tuple[int, int, int]]:
    """The cheapest merges with the most gainful splits, while both together pay.

    Args:
        cost (list[float]): Increase of the inertia when a cluster joins its partner.
        partner (list[int]): That partner.
        gain (list[float]): Decrease of the inertia when a cluster is split.
        least (float): Decrease that all steps together must surpass, and a step in part.

    Returns:
        list[tuple[int, int, int]]: The cluster split, the cluster whose number is freed for its
        first half, and the cluster that takes the latter's points. No cluster comes twice.
    """
    used = [False] * len(cost)
    merges = iter(sorted(range(len(cost)), key=cost.__getitem__))
    steps, total = [], 0.0
    for split in sorted(range(len(gain)), key=gain.__getitem__, reverse=True):
        if used[split]:
            continue
        used[split] = True
        freed = next((c for c in merges if not used[c] and not used[partner[c]]), None)
        if freed is None or gain[split] - cost[freed] <= least / len(cost):
            break
        used[freed] = used[partner[freed]] = True
        total += gain[split] - cost[freed]
        steps.append((split, freed, partner[freed]))
    return steps if total > least else []
