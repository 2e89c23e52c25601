"""k-means and spherical k-means by faiss."""

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
    """Return whether faiss works on the GPU.

    It is tried in another process: in a wheel without code for this GPU, faiss raises no error
    but aborts the process.
    """
    import faiss

    if not torch.cuda.is_available() or not hasattr(faiss, "StandardGpuResources"):
        return False
    trial = [sys.executable, "-c", _GPU_TRIAL]
    return not subprocess.run(trial, capture_output=True, timeout=120, check=False).returncode


@TASK_UTILS.register_module()
@dataclass(eq=False)
class KMeans:
    """k-means clustering by ``faiss.Kmeans`` (Lloyd's algorithm).

    Embeddings are scaled to length 1 first, as in SLIC's comparison; centres are not. Tensors on
    a GPU are clustered there if faiss supports it. The same input and seed give the same labels
    on the same machine. When a cluster becomes empty, faiss splits a large one.

    Args:
        num_clusters: Number of clusters; 1000 in SLIC's comparison (CVPR 2022, section 4).
        num_restarts: Number of runs. The one with the smallest sum of squared distances is used.
        max_iterations: Number of iterations of each run.
        seed: Seed of the random initialisation.

    Raises:
        ValueError: If a number is below 1.

    Examples:
        >>> from mmaction.registry import TASK_UTILS
        >>> clusterer = TASK_UTILS.build(dict(type="KMeans", num_clusters=2))
        >>> clusterer(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]))
        array([0, 0, 1, 1])
    """

    spherical = False
    num_clusters: int = 1000
    num_restarts: int = 1
    max_iterations: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.num_clusters, self.num_restarts, self.max_iterations) < 1:
            raise ValueError(f"Invalid options {self}: the numbers must be at least 1.")

    def __call__(self, embeddings: Array) -> np.ndarray:
        """Cluster embeddings.

        Args:
            embeddings: (N, D) array or tensor.

        Returns:
            (N,) int64 labels of ``num_clusters`` clusters, or fewer if there are fewer distinct
            embeddings.

        Raises:
            ValueError: If an embedding is not finite, or there are fewer embeddings than clusters.
        """
        import faiss

        matrix = check_matrix(embeddings, "cosine")
        if self.num_clusters > len(matrix):
            raise ValueError(
                f"k-means cannot make {self.num_clusters} clusters of {len(matrix)} embeddings: "
                f"set num_clusters to {len(matrix)} or less."
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
            # Use all points, whatever their number per cluster.
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
    """Spherical k-means (Dhillon and Modha, Machine Learning 2001): centres have length 1.

    Points are assigned to the centre with the largest cosine. The arguments are those of
    :class:`KMeans`.

    Examples:
        >>> from mmaction.registry import TASK_UTILS
        >>> clusterer = TASK_UTILS.build(dict(type="SphericalKMeans", num_clusters=2))
        >>> clusterer(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]))
        array([0, 0, 1, 1])
    """

    spherical = True
