"""k-means by faiss, on the sphere or off it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from mmaction.registry import TASK_UTILS

from ..nearest import Array, check_matrix, exact_rows, row_blocks
from .quality import renumber

_GPU_TRIAL = """
import faiss, numpy as np
assert faiss.Kmeans(8, 2, gpu=True, niter=2, min_points_per_centroid=1).train(np.eye(8, dtype='f4'))
"""


@lru_cache(maxsize=1)
def faiss_has_gpu() -> bool:
    """Whether faiss works on the GPU.

    Tried in another process, because a wheel without code for this GPU does not raise an error:
    faiss aborts the process.
    """
    import faiss

    if not torch.cuda.is_available() or not hasattr(faiss, "StandardGpuResources"):
        return False
    trial = [sys.executable, "-c", _GPU_TRIAL]
    return not subprocess.run(trial, capture_output=True, timeout=120, check=False).returncode


@TASK_UTILS.register_module()
@dataclass(eq=False)
class KMeans:
    """Clusters around their means, by ``faiss.Kmeans`` (Lloyd's iteration).

    Embeddings are scaled to length 1 first, as in SLIC's comparison; centres are not.
    It runs on the GPU for tensors there, where faiss has one that works. The same input and seed
    give the same labels on the same machine. Where a cluster runs empty, faiss splits a large one.

    Args:
        num_clusters: 1000, as in SLIC's comparison (CVPR 2022).
        num_restarts: Runs, of which that of the smallest sum of squared distances is taken.
        max_iterations: Iterations of each run.
        seed: Seed of all draws.

    Raises:
        ValueError: If a number is below 1.
    """

    spherical = False
    num_clusters: int = 1000
    num_restarts: int = 1
    max_iterations: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.num_clusters, self.num_restarts, self.max_iterations) < 1:
            raise ValueError(f"{self} cannot work: it needs numbers >= 1.")

    def __call__(self, embeddings: Array) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64.

        Fewer than ``num_clusters`` only if fewer embeddings are different.

        Raises:
            ValueError: If an embedding is not finite or there are fewer than clusters.
        """
        import faiss

        matrix = check_matrix(embeddings, "cosine")
        if self.num_clusters > len(matrix):
            raise ValueError(
                f"k-means cannot make {self.num_clusters} clusters of {len(matrix)} embeddings "
                f"(one per video): set num_clusters to {len(matrix)} or less."
            )
        points = np.empty(matrix.shape, dtype=np.float32)
        for rows in row_blocks(*matrix.shape):
            points[rows] = exact_rows(matrix[rows], "cosine").cpu().numpy()
        options: dict[str, Any] = dict(
            niter=self.max_iterations,
            nredo=self.num_restarts,
            seed=self.seed,
            spherical=self.spherical,
            gpu=matrix.device.type == "cuda" and faiss_has_gpu(),
            # All points take part, however many or few there are for each cluster.
            min_points_per_centroid=1,
            max_points_per_centroid=len(points),
        )
        if hasattr(faiss, "ClusteringInitMethod_KMEANS_PLUS_PLUS"):  # faiss >= 1.14
            options["init_method"] = faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS
        kmeans = faiss.Kmeans(points.shape[1], self.num_clusters, **options)
        kmeans.train(points)
        return renumber(kmeans.assign(points)[1])


@TASK_UTILS.register_module()
class SphericalKMeans(KMeans):
    """:class:`KMeans` with centres of length 1, too (Dhillon and Modha, Machine Learning 2001).

    Points go to the centre of largest cosine. Arguments are those of :class:`KMeans`.
    """

    spherical = True
