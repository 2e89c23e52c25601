"""k-means on the sphere or off it, in plain torch."""

from __future__ import annotations

import numpy as np
import torch
from mmaction.registry import TASK_UTILS
from torch import Tensor

from .embeddings import Embeddings, as_matrix, renumber, unit_rows
from .kmeans_seeding import INITS, initial_centers, refill_empty

_BLOCK_ELEMENTS = 1 << 22


def kmeans(
    embeddings: Embeddings,
    num_clusters: int,
    spherical: bool = False,
    init: str = "k-means++",
    num_restarts: int = 1,
    max_iterations: int = 100,
    seed: int = 0,
) -> np.ndarray:
    """Cluster into ``num_clusters`` groups around their means (Lloyd's iteration).

    One implementation serves every device: it runs where a tensor is (arrays: on the
    CPU), in float32 with means in float64, and in blocks, never with an N x K matrix
    for a large N. The same input and seed give the same labels on the same machine.

    A cluster that runs empty starts anew at the point farthest from its centre.
    Iteration stops when no assignment changes.

    Args:
        embeddings (np.ndarray | Tensor): (N, D).
        num_clusters (int): K, at most N.
        spherical (bool): Whether rows and centres are scaled to length 1, so that
            points go to the centre of largest cosine (Dhillon and Modha, 2001).
        init (str): ``'k-means++'`` or ``'random'``.
        num_restarts (int): Runs, of which that of the smallest inertia (sum of squared
            distances from the centres) is returned.
        max_iterations (int): Limit for each run.
        seed (int): Seed of all draws.

    Returns:
        np.ndarray: (N,) int64 labels, numbered by first appearance. Fewer than K
        clusters only if fewer than K embeddings are different.

    Raises:
        ValueError: If an embedding is not finite, an option is out of range or there
            are fewer embeddings than clusters.
    """
    _check_options(num_clusters, init, num_restarts, max_iterations)
    points = as_matrix(embeddings, "euclidean")
    if num_clusters > len(points):
        raise ValueError(
            f"k-means cannot make {num_clusters} clusters of {len(points)} embeddings "
            f"(one per video): set num_clusters to {len(points)} or less."
        )
    # Off the sphere, centring keeps |x|^2 small beside the distances.
    exact = points.double()
    points = (unit_rows(exact) if spherical else exact - exact.mean(0)).float()
    del exact
    generator = torch.Generator().manual_seed(seed)
    best, lowest = None, float("inf")
    for _ in range(num_restarts):
        centers = initial_centers(points, num_clusters, init, generator)
        labels, inertia = _lloyd(points, centers, num_clusters, spherical, max_iterations)
        if best is None or inertia < lowest:
            best, lowest = labels, inertia
    assert best is not None
    return renumber(best.cpu().numpy())


def _check_options(num_clusters: int, init: str, num_restarts: int, max_iterations: int) -> None:
    if num_clusters < 1 or num_restarts < 1 or max_iterations < 1 or init not in INITS:
        raise ValueError(
            f"k-means got num_clusters={num_clusters}, num_restarts={num_restarts}, "
            f"max_iterations={max_iterations} and init={init!r}: it needs numbers >= 1 "
            f"and one of {', '.join(INITS)}."
        )


def _lloyd(
    points: Tensor, centers: Tensor, num_clusters: int, spherical: bool, max_iterations: int
) -> tuple[Tensor, float]:
    """Labels (N,) and inertia, the latter for the means of the labelled points."""
    # Rounding moves a mean by some units in the last place of its coordinates.
    resolution = (8 * torch.finfo(points.dtype).eps) ** 2 * float(points.square().sum(1).max())
    labels = None
    for _ in range(max_iterations):
        found = _nearest(points, centers)
        if not torch.bincount(found, minlength=num_clusters).all():
            distances = _own_distances(points, centers, found)
            found = refill_empty(points, found, distances, num_clusters, resolution)
            # Clusters that stay empty have no centre.
            found = found.unique(return_inverse=True)[1]
        if labels is not None and torch.equal(found, labels):
            break
        labels = found
        means = _means(points, labels)
        centers = (unit_rows(means) if spherical else means).to(points.dtype)
    assert labels is not None
    return labels, float(_own_distances(points, centers, labels).double().sum())


def _nearest(points: Tensor, centers: Tensor) -> Tensor:
    """Index of each point's nearest centre, the lowest of equally near ones."""
    offset = -centers.square().sum(1) / 2
    labels = torch.empty(len(points), dtype=torch.int64, device=points.device)
    size = max(1, _BLOCK_ELEMENTS // len(centers))
    # A list of results would lie between the blocks on the heap, and memory would grow
    # as if no block were ever freed.
    for rows, found in zip(points.split(size), labels.split(size)):
        found.copy_(torch.addmm(offset, rows, centers.t()).argmax(1))
    return labels


def _own_distances(points: Tensor, centers: Tensor, labels: Tensor) -> Tensor:
    """Squared distance (N,) of each point from its centre, without cancellation."""
    distances = torch.empty(len(points), dtype=points.dtype, device=points.device)
    size = max(1, _BLOCK_ELEMENTS // points.size(1))
    blocks = zip(points.split(size), labels.split(size), distances.split(size))
    for rows, own, squares in blocks:
        squares.copy_((rows - centers[own]).square().sum(1))
    return distances


def _means(points: Tensor, labels: Tensor) -> Tensor:
    """Means (K, D) float64 of clusters, none empty.

    Rows are sorted by cluster and summed in that order: adding them where they belong
    would sum in another order on every run on a GPU.
    """
    counts = torch.bincount(labels)
    sums = torch.zeros(len(counts), points.size(1), dtype=torch.float64, device=points.device)
    size = max(1, _BLOCK_ELEMENTS // points.size(1))
    for rows, own in zip(points.split(size), labels.split(size)):
        members = torch.bincount(own, minlength=len(counts))
        ordered = rows[own.argsort(stable=True)].double()
        sums += torch.segment_reduce(ordered, "sum", lengths=members, axis=0, initial=0)
    return sums / counts[:, None]


@TASK_UTILS.register_module()
class KMeans:
    """:func:`kmeans` as a configurable clusterer.

    Args:
        num_clusters (int): 1000, as in SLIC's comparison (CVPR 2022).
        normalize (bool): Whether embeddings are scaled to length 1 first, as there.
            Centres are not.
        init (str): ``'k-means++'`` or ``'random'``.
        num_restarts (int): Runs, of which the best is taken.
        max_iterations (int): Limit for each run.
        seed (int): Seed of all draws.

    Raises:
        ValueError: If an option is out of range.
    """

    spherical = False

    def __init__(
        self,
        num_clusters: int = 1000,
        normalize: bool = True,
        init: str = "k-means++",
        num_restarts: int = 1,
        max_iterations: int = 100,
        seed: int = 0,
    ) -> None:
        _check_options(num_clusters, init, num_restarts, max_iterations)
        self.num_clusters = num_clusters
        self.normalize = normalize
        self.init = init
        self.num_restarts = num_restarts
        self.max_iterations = max_iterations
        self.seed = seed

    def __call__(self, embeddings: Embeddings) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64.

        Raises:
            ValueError: If there are fewer videos than clusters.
        """
        if self.normalize:
            embeddings = unit_rows(as_matrix(embeddings, "cosine"))
        return kmeans(
            embeddings,
            self.num_clusters,
            spherical=self.spherical,
            init=self.init,
            num_restarts=self.num_restarts,
            max_iterations=self.max_iterations,
            seed=self.seed,
        )


@TASK_UTILS.register_module()
class SphericalKMeans(KMeans):
    """Spherical :func:`kmeans` as a configurable clusterer.

    Args:
        num_clusters (int): 1000, as in SLIC's comparison (CVPR 2022).
        init (str): ``'k-means++'`` or ``'random'``.
        num_restarts (int): Runs, of which the best is taken.
        max_iterations (int): Limit for each run.
        seed (int): Seed of all draws.

    Raises:
        ValueError: If an option is out of range.
    """

    spherical = True

    def __init__(
        self,
        num_clusters: int = 1000,
        init: str = "k-means++",
        num_restarts: int = 1,
        max_iterations: int = 100,
        seed: int = 0,
    ) -> None:
        # kmeans itself scales rows on the sphere.
        super().__init__(num_clusters, False, init, num_restarts, max_iterations, seed)
