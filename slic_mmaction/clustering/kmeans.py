"""k-means on the sphere or off it, in plain torch.

faiss's own k-means is not used: 50,000 x 128, K = 1000, one thread, it takes 1.8 to 2.7 times as
long as this one and ends at an inertia 0.5 to 15% higher (``benchmarks/kmeans.py``).
"""

from __future__ import annotations

import numpy as np
import torch
from mmaction.registry import TASK_UTILS
from torch import Tensor

from .embeddings import Embeddings, check_matrix, renumber, unit_rows
from .kmeans_lloyd import lloyd
from .kmeans_passes import block_rows
from .kmeans_seeding import INITS, initial_centers


def kmeans(
    embeddings: Embeddings,
    num_clusters: int,
    spherical: bool = False,
    init: str = "k-means++",
    num_restarts: int = 1,
    max_iterations: int = 100,
    seed: int = 0,
    tolerance: float = 1e-4,
) -> np.ndarray:
    """Cluster into ``num_clusters`` groups around their means.

    Lloyd's iteration with split-merge steps (:func:`.kmeans_split_merge.split_merge`), which
    free it from a poor start. It runs where a tensor is (arrays: on the CPU), in float32 with
    means in float64, in memory of O(N + K) D. The same input and seed give the same labels on
    the same machine. A cluster that runs empty starts anew at the point farthest from its centre.

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
        tolerance (float): A run ends when an iteration lowers the inertia by no more than this
            share of it; with 0, when it lowers it no more.

    Returns:
        np.ndarray: (N,) int64 labels, numbered by first appearance. Fewer than K
        clusters only if fewer than K embeddings are different.

    Raises:
        ValueError: If an embedding is not finite, an option is out of range or there
            are fewer embeddings than clusters.
    """
    _check_options(num_clusters, init, num_restarts, max_iterations, tolerance)
    matrix = check_matrix(embeddings, "euclidean")
    if num_clusters > len(matrix):
        raise ValueError(
            f"k-means cannot make {num_clusters} clusters of {len(matrix)} embeddings "
            f"(one per video): set num_clusters to {len(matrix)} or less."
        )
    points = _prepared(matrix, spherical)
    generator = torch.Generator().manual_seed(seed)
    best, lowest = None, float("inf")
    for _ in range(num_restarts):
        centers = initial_centers(points, num_clusters, init, generator)
        labels, inertia = lloyd(points, centers, num_clusters, spherical, max_iterations, tolerance)
        if best is None or inertia < lowest:
            best, lowest = labels, inertia
    assert best is not None
    return renumber(best.cpu().numpy())


def _check_options(
    num_clusters: int, init: str, num_restarts: int, max_iterations: int, tolerance: float
) -> None:
    numbers = min(num_clusters, num_restarts, max_iterations)
    if numbers < 1 or init not in INITS or not tolerance >= 0:
        raise ValueError(
            f"k-means got num_clusters={num_clusters}, num_restarts={num_restarts}, "
            f"max_iterations={max_iterations}, tolerance={tolerance} and init={init!r}: it needs "
            f"numbers >= 1, a tolerance >= 0 and one of {', '.join(INITS)}."
        )


def _prepared(matrix: Tensor, spherical: bool) -> Tensor:
    """A float32 copy of rows (N, D), scaled to length 1 or, so that |x|^2 is small, centred."""
    points = torch.empty(matrix.shape, device=matrix.device)
    blocks = matrix.split(block_rows(matrix.size(1), matrix.device))
    mean = torch.stack([rows.float().double().sum(0) for rows in blocks]).sum(0) / len(matrix)
    for rows, prepared in zip(blocks, points.split(len(blocks[0]))):
        exact = rows.float().double()
        prepared.copy_(unit_rows(exact) if spherical else exact - mean)
    return points


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
        tolerance (float): Share of the inertia; a run ends when an iteration lowers it by less.

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
        tolerance: float = 1e-4,
    ) -> None:
        _check_options(num_clusters, init, num_restarts, max_iterations, tolerance)
        self.num_clusters = num_clusters
        self.normalize = normalize
        self.init = init
        self.num_restarts = num_restarts
        self.max_iterations = max_iterations
        self.seed = seed
        self.tolerance = tolerance

    def __call__(self, embeddings: Embeddings) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64.

        Raises:
            ValueError: If there are fewer videos than clusters.
        """
        if self.normalize:
            embeddings = _prepared(check_matrix(embeddings, "cosine"), spherical=True)
        return kmeans(
            embeddings,
            self.num_clusters,
            spherical=self.spherical,
            init=self.init,
            num_restarts=self.num_restarts,
            max_iterations=self.max_iterations,
            seed=self.seed,
            tolerance=self.tolerance,
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
        tolerance (float): Share of the inertia; a run ends when an iteration lowers it by less.

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
        tolerance: float = 1e-4,
    ) -> None:
        # kmeans itself scales rows on the sphere.
        super().__init__(num_clusters, False, init, num_restarts, max_iterations, seed, tolerance)
