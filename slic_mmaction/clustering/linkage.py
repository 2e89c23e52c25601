"""Bottom-up merging of clusters, exact, in as little memory as each linkage allows."""

from __future__ import annotations

import numpy as np
import torch
from mmaction.registry import TASK_UTILS

from .average_linkage import average_linkage
from .complete_linkage import TooManyPairs, complete_linkage
from .components import Components
from .embeddings import METRICS, Embeddings, check_matrix, renumber
from .equal_rows import lowest_copies
from .near_pairs import near_pairs
from .prepared_rows import PreparedRows
from .scipy_linkage import scipy_linkage

LINKAGES = ("average", "complete", "single")


@TASK_UTILS.register_module()
class AgglomerativeClustering:
    """Bottom-up merging of clusters until they are far enough apart.

    The clusters are those of scipy's and scikit-learn's trees, cut at the threshold, whatever N
    is. Single linkage and average linkage of cosine distances need memory O(N) only. The other
    two have scipy work on all N^2 distances if ``max_bytes`` allows; if not, complete linkage
    keeps the pairs nearer than the threshold only, and average linkage refuses.

    Args:
        distance_threshold (float): Clusters this far apart or farther are not merged.
            Defaults to 0.24, of SLIC's comparison (CVPR 2022).
        linkage (str): Distance of clusters: ``'average'`` or ``'complete'`` (largest) or
            ``'single'`` (smallest) distance between their points.
        metric (str): ``'cosine'`` or ``'euclidean'``. An all-zero row has cosine distance 1 from
            all others.
        max_bytes (int): Memory allowed for distances. Defaults to 4 GiB, enough for all those of
            23,170 embeddings.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        distance_threshold: float = 0.24,
        linkage: str = "average",
        metric: str = "cosine",
        max_bytes: int = 4 << 30,
    ) -> None:
        if not distance_threshold >= 0 or linkage not in LINKAGES or metric not in METRICS:
            raise ValueError(
                f"AgglomerativeClustering got distance_threshold={distance_threshold}, "
                f"linkage={linkage!r} and metric={metric!r}: it needs a threshold >= 0, one of "
                f"{', '.join(LINKAGES)} and one of {', '.join(METRICS)}."
            )
        self.distance_threshold = distance_threshold
        self.linkage = linkage
        self.metric = metric
        self.max_bytes = max_bytes

    def __call__(self, embeddings: Embeddings) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64.

        Raises:
            ValueError: If distances would take more than ``max_bytes``.
        """
        matrix = check_matrix(embeddings, self.metric)
        rows = PreparedRows(matrix, self.metric)
        if self.linkage == "single":
            return renumber(single_linkage(rows, self.distance_threshold))
        if self.linkage == "average" and self.metric == "cosine":
            return renumber(average_linkage(rows, self.distance_threshold))
        needed = 8 * len(rows) ** 2
        if needed <= self.max_bytes:
            return renumber(scipy_linkage(rows, self.distance_threshold, self.linkage))
        if self.linkage == "average":
            raise ValueError(
                f"AgglomerativeClustering of {len(rows)} embeddings by average Euclidean distance "
                f"needs {needed} bytes, more than max_bytes={self.max_bytes}: use the cosine "
                f"metric, another linkage, FINCH or KMeans, or raise max_bytes."
            )
        return renumber(self._complete(matrix, rows))

    def _complete(self, matrix: torch.Tensor, rows: PreparedRows) -> np.ndarray:
        starts = lowest_copies(rows) if self.distance_threshold > 0 else np.arange(len(rows))
        lowest, inverse = np.unique(starts, return_inverse=True)
        different = PreparedRows(matrix, self.metric, torch.from_numpy(lowest).to(rows.device))
        try:
            return complete_linkage(different, self.distance_threshold, self.max_bytes)[inverse]
        except TooManyPairs:
            raise ValueError(
                f"AgglomerativeClustering of {len(rows)} embeddings finds more pairs below "
                f"distance_threshold={self.distance_threshold} than fit in "
                f"max_bytes={self.max_bytes}: lower the threshold, use another linkage, FINCH or "
                f"KMeans, or raise max_bytes."
            ) from None


def single_linkage(rows: PreparedRows, threshold: float) -> np.ndarray:
    """Components of the pairs nearer than a threshold, which is what single linkage merges.

    Returns:
        (N,) int64, the lowest row of the cluster.
    """
    clusters = Components(len(rows))
    below = float(np.nextafter(threshold, -1))
    for i, j in near_pairs(rows, below, clusters.are_one):
        clusters.join(i, j)
    return clusters.lowest()
