"""The passes over all points that k-means is made of, each in blocks."""

from __future__ import annotations

import torch
from torch import Tensor

# 4 MiB of float32 stay in a CPU's caches until the largest entries are looked up.
_BLOCK_ELEMENTS = {"cpu": 1 << 20, "cuda": 1 << 26}
# Below this, a matrix product slows down.
_LEAST_ROWS = 64


def block_rows(columns: int, device: torch.device) -> int:
    """Rows of a block of so many columns."""
    return max(_LEAST_ROWS, _BLOCK_ELEMENTS.get(device.type, 1 << 24) // columns)


def largest(products: Tensor) -> Tensor:
    """Column (M,) of the largest entry of each row of (M, K), the first of equal ones."""
    if products.device.type == "cpu":
        # On one thread four times as fast as torch's.
        return torch.from_numpy(products.numpy().argmax(1))
    return products.argmax(1)


def nearest(points: Tensor, centers: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Column and value (M,) of the largest ``x @ c + offset`` of each point (M, D)."""
    products = torch.addmm(offset, points, centers.t())
    found = largest(products)
    return found, products.gather(1, found[:, None])[:, 0]


def center_offset(centers: Tensor) -> Tensor:
    """What makes ``x @ centers.t() + offset`` (K,) largest for the centre nearest to x."""
    return centers.square().sum(1) / -2


def assign(
    points: Tensor, centers: Tensor, offset: Tensor, moved: Tensor, labels: Tensor, scores: Tensor
) -> None:
    """Send each point to its nearest centre, the lowest of equally near ones.

    A point whose centre stayed where it was can only go to one that moved, so these alone are
    searched for it. The result is that of a full search.

    Args:
        points (Tensor): (N, D) float32.
        centers (Tensor): (K, D) float32.
        offset (Tensor): (K,), see :func:`center_offset`; -inf for a centre not to be taken.
        moved (Tensor): (K,) bool, centres that moved since the last call. All at the first call.
        labels (Tensor): (N,) int64, changed in place.
        scores (Tensor): (N,) float32, ``x @ c + offset`` of the own centre, changed in place.
    """
    stale = moved[labels]
    size = block_rows(len(centers), points.device)
    for rows in stale.nonzero().flatten().split(size):
        labels[rows], scores[rows] = nearest(points[rows], centers, offset)
    indices = moved.nonzero().flatten()
    if len(indices) in (0, len(centers)):
        return
    centers, offset = centers[indices], offset[indices]
    for rows in (~stale).nonzero().flatten().split(block_rows(len(indices), points.device)):
        column, score = nearest(points[rows], centers, offset)
        found = indices[column]
        nearer = score > scores[rows]
        nearer |= (score == scores[rows]) & (found < labels[rows])
        labels[rows[nearer]], scores[rows[nearer]] = found[nearer], score[nearer]


def own_distances(points: Tensor, centers: Tensor, labels: Tensor) -> Tensor:
    """Squared distance (N,) of each point from its centre, without cancellation."""
    distances = torch.empty(len(points), dtype=points.dtype, device=points.device)
    size = block_rows(points.size(1), points.device)
    blocks = zip(points.split(size), labels.split(size), distances.split(size))
    for rows, own, squares in blocks:
        squares.copy_((rows - centers[own]).square_().sum(1))
    return distances


def cluster_sums(
    points: Tensor, rows: Tensor, own: Tensor, num_clusters: int
) -> tuple[Tensor, Tensor]:
    """Sums (K, D) float64 and counts (K,) int64 of some points by cluster.

    Args:
        points (Tensor): (N, D).
        rows (Tensor): (M,) int64, the points that count.
        own (Tensor): (M,) int64, their clusters.
        num_clusters (int): K.
    """
    sums = torch.zeros(num_clusters, points.size(1), dtype=torch.float64, device=points.device)
    counts = torch.bincount(own, minlength=num_clusters)
    # Small blocks on a CPU: fresh memory for large ones takes longer than the sums.
    size, add = (2048, _add) if points.device.type == "cpu" else (1 << 18, _add_sorted)
    for some, clusters in zip(rows.split(size), own.split(size)):
        add(sums, points[some].double(), clusters)
    return sums, counts


def _add(sums: Tensor, rows: Tensor, own: Tensor) -> None:
    sums.index_add_(0, own, rows)


def _add_sorted(sums: Tensor, rows: Tensor, own: Tensor) -> None:
    """The same, always in the order of the rows; a GPU adds in another order on every run."""
    members = torch.bincount(own, minlength=len(sums))
    ordered = rows[own.argsort(stable=True)]
    sums += torch.segment_reduce(ordered, "sum", lengths=members, axis=0, initial=0)
