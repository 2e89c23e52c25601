"""Lloyd's iteration, with split-merge steps while they pay."""

from __future__ import annotations

import torch
from torch import Tensor

from .embeddings import unit_rows
from .kmeans_passes import assign, block_rows, center_offset, cluster_sums, own_distances
from .kmeans_seeding import refill_empty
from .kmeans_split_merge import explained, split_merge


class Clusters:
    """Labels of points and the sums of the clusters, which follow the labels.

    Args:
        points (Tensor): (N, D) float32.
        num_clusters (int): K.
        spherical (bool): Whether centres are scaled to length 1.

    Attributes:
        labels (Tensor): (N,) int64, -1 for no cluster yet.
        sums (Tensor): (K, D) float64.
        counts (Tensor): (K,) int64.
    """

    def __init__(self, points: Tensor, num_clusters: int, spherical: bool) -> None:
        self.points = points
        self.spherical = spherical
        device, dim = points.device, points.size(1)
        self.labels = torch.full((len(points),), -1, device=device)
        self.sums = torch.zeros(num_clusters, dim, dtype=torch.float64, device=device)
        self.counts = torch.zeros(num_clusters, dtype=torch.int64, device=device)
        size = block_rows(points.size(1), points.device)
        self.total = sum(float(rows.double().square_().sum()) for rows in points.split(size))

    def relabel(self, labels: Tensor) -> Tensor:
        """Take new labels (N,); returns which clusters (K,) won or lost points."""
        touched = torch.zeros_like(self.counts, dtype=torch.bool)
        changed = (labels != self.labels).nonzero().flatten()
        left = changed[self.labels[changed] >= 0]
        for rows, own, sign in ((changed, labels, 1), (left, self.labels, -1)):
            sums, counts = cluster_sums(self.points, rows, own[rows], len(self.counts))
            self.sums += sign * sums
            self.counts += sign * counts
            touched |= counts > 0
        self.labels = labels.clone()
        return touched

    def inertia(self) -> float:
        """Sum of squared distances from the centres."""
        return self.total - float(explained(self.sums, self.counts, self.spherical).sum())

    def centers(self) -> Tensor:
        """Centres (K, D) float32, zero for empty clusters."""
        if self.spherical:
            return unit_rows(self.sums).float()
        return (self.sums / self.counts.clamp_min(1)[:, None]).float()


def lloyd(
    points: Tensor,
    centers: Tensor,
    num_clusters: int,
    spherical: bool,
    max_iterations: int,
    tolerance: float,
) -> tuple[Tensor, float]:
    """Improve clusters until an iteration brings next to nothing.

    An iteration assigns all points, refills empty clusters and, while such rounds pay, merges
    and splits clusters. The last one assigns only.

    Args:
        points (Tensor): (N, D) float32, of length 1 if ``spherical``.
        centers (Tensor): (K', D) float32 to start from, 1 <= K' <= ``num_clusters``.
        num_clusters (int): K.
        spherical (bool): Whether centres are scaled to length 1.
        max_iterations (int): Assignments at most.
        tolerance (float): An iteration that lowers the inertia by no more than this share of it
            is the last.

    Returns:
        tuple[Tensor, float]: Labels (N,) int64 in 0..K - 1, and their inertia.
    """
    clusters = Clusters(points, num_clusters, spherical)
    # Rounding moves a mean by some units in the last place of its coordinates.
    resolution = (8 * torch.finfo(points.dtype).eps) ** 2 * float(points.square().sum(1).max())
    present = torch.arange(num_clusters, device=points.device) < len(centers)
    centers = torch.cat([centers, centers.new_zeros(num_clusters - len(centers), centers.size(1))])
    touched = torch.ones_like(present)
    labels = torch.zeros_like(clusters.labels)
    scores = torch.empty_like(points[:, 0])
    inertia, moving = float("inf"), True
    for iteration in range(max_iterations):
        offset = center_offset(centers).masked_fill(~present, -torch.inf)
        assign(points, centers, offset, touched, labels, scores)
        if not torch.bincount(labels, minlength=num_clusters).all():
            distances = own_distances(points, centers, labels)
            labels = refill_empty(points, labels, distances, num_clusters, resolution)
        touched = clusters.relabel(labels)
        previous, inertia = inertia, clusters.inertia()
        centers, present = clusters.centers(), clusters.counts > 0
        if iteration + 1 == max_iterations:
            break
        if moving:
            # Less than the second term is the rounding of sums.
            least = max(tolerance * inertia, 1e-12 * clusters.total)
            better = split_merge(
                points, labels, centers, clusters.sums, clusters.counts, spherical, least
            )
            moving = better is not labels
            if moving:
                labels = better
                touched |= clusters.relabel(labels)
                inertia = clusters.inertia()
                centers, present = clusters.centers(), clusters.counts > 0
        if not moving and previous - inertia <= tolerance * inertia:
            break
    return clusters.labels, inertia
