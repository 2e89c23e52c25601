"""The other clusterers that SLIC's authors compared, by scikit-learn and SciPy.

Both are imported where they are used, because importing scikit-learn is slow and most runs do
not need it. With the cosine metric, a zero row has distance 1 to all other rows.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmaction.registry import TASK_UTILS
from torch import Tensor

from ..nearest import METRICS, Array, check_matrix, distances, exact_rows, exact_similarities
from ..progress import track
from .quality import NOISE, renumber

LINKAGES = ("average", "complete", "single")
_ROWS_AT_ONCE = 256
# Bytes for a pair of points within eps, measured with scikit-learn 1.9.
_PAIR_BYTES = {"cosine": 8, "euclidean": 21}


def _exact(embeddings: Array, metric: str) -> Tensor:
    """Return embeddings (N, D) in float64 on the CPU, of length 1 for the cosine metric."""
    return exact_rows(check_matrix(embeddings, metric).cpu(), metric)


@TASK_UTILS.register_module()
@dataclass(eq=False)
class DBSCAN:
    """DBSCAN, density-based clustering with noise (Ester et al., KDD 1996), by scikit-learn.

    Memory grows with the number of pairs within ``eps``, because scikit-learn stores all of them.

    Args:
        eps: Radius of a neighbourhood, in units of the metric; 0.14 in SLIC's comparison (CVPR
            2022, section 4).
        min_samples: Number of points in a neighbourhood, including its centre, that make the
            centre a core point.
        metric: ``'cosine'`` or ``'euclidean'``.

    Raises:
        ValueError: If an option is out of range.

    Examples:
        >>> from mmaction.registry import TASK_UTILS
        >>> clusterer = TASK_UTILS.build(dict(type="DBSCAN", eps=0.14))
        >>> clusterer(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [-1.0, 0.0]]))  # -1 is noise
        array([ 0,  0, -1, -1])
    """

    eps: float = 0.14
    min_samples: int = 2
    metric: str = "cosine"

    def __post_init__(self) -> None:
        if not self.eps > 0 or self.min_samples < 1 or self.metric not in METRICS:
            raise ValueError(
                f"Invalid options {self}: eps must be > 0, min_samples >= 1, and metric one of "
                f"{', '.join(METRICS)}."
            )

    def __call__(self, embeddings: Array) -> np.ndarray:
        """Cluster embeddings.

        Args:
            embeddings: (N, D) array or tensor.

        Returns:
            (N,) int64 labels, -1 for noise.

        Raises:
            ValueError: If the pairs within ``eps`` (estimated from 256 points) do not fit in
                memory.
        """
        from sklearn.cluster import DBSCAN as ByScikitLearn

        rows = _exact(embeddings, self.metric)
        some = rows[:: -(-len(rows) // _ROWS_AT_ONCE)]
        blocks = (exact_similarities(some, y, self.metric) for y in rows.split(4096))
        near = sum(int((distances(block, self.metric) <= self.eps).sum()) for block in blocks)
        pairs = near * len(rows) // len(some)
        needed = pairs * _PAIR_BYTES[self.metric]
        _check_memory(self, len(rows), needed, f"about {pairs:,} pairs within eps")
        clusterer = ByScikitLearn(eps=self.eps, min_samples=self.min_samples, metric=self.metric)
        return renumber(clusterer.fit_predict(rows.numpy()))


@TASK_UTILS.register_module()
@dataclass(eq=False)
class OPTICS:
    """OPTICS, density-based clustering with noise (Ankerst et al., SIGMOD 1999), by scikit-learn.

    Clusters may have different densities. They are extracted from the reachability plot by the
    paper's xi method. Memory is O(N), and time is O(N^2).

    Args:
        min_samples: Number of points in a neighbourhood, including its centre, that make the
            centre a core point. At least 2.
        metric: ``'cosine'`` or ``'euclidean'``.
        max_eps: Largest radius of a neighbourhood, in units of the metric.
        xi: Relative drop of reachability at a cluster's boundary, from 0 to below 1.

    Raises:
        ValueError: If an option is out of range.

    Examples:
        >>> from mmaction.registry import TASK_UTILS
        >>> clusterer = TASK_UTILS.build(dict(type="OPTICS", min_samples=2))
        >>> clusterer(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]))
        array([0, 0, 1, 1])
    """

    min_samples: int = 2
    metric: str = "cosine"
    max_eps: float = float("inf")
    xi: float = 0.05

    def __post_init__(self) -> None:
        in_range = self.min_samples >= 2 and self.max_eps > 0 and 0 <= self.xi < 1
        if not in_range or self.metric not in METRICS:
            raise ValueError(
                f"Invalid options {self}: min_samples must be >= 2, max_eps > 0, 0 <= xi < 1, and "
                f"metric one of {', '.join(METRICS)}."
            )

    def __call__(self, embeddings: Array) -> np.ndarray:
        """Cluster embeddings (N, D) into labels (N,) int64, -1 for noise."""
        rows = _exact(embeddings, self.metric).numpy()
        if len(rows) < self.min_samples:
            # No point can be a core point.
            return np.full(len(rows), NOISE, dtype=np.int64)
        from sklearn.cluster import OPTICS as ByScikitLearn

        clusterer = ByScikitLearn(
            min_samples=self.min_samples,
            metric=self.metric,
            max_eps=self.max_eps,
            xi=self.xi,
            algorithm="brute",
        )
        # scikit-learn divides by the reachability, which is 0 for duplicates; inf is intended.
        with np.errstate(divide="ignore"):
            return renumber(clusterer.fit_predict(rows))


@TASK_UTILS.register_module()
@dataclass(eq=False)
class AgglomerativeClustering:
    """Agglomerative (bottom-up hierarchical) clustering up to a distance, by SciPy.

    Args:
        distance_threshold: Distance at or above which clusters are not merged, in units of the
            metric; 0.24 in SLIC's comparison (CVPR 2022, section 4).
        linkage: Distance of two clusters: the ``'average'``, the largest (``'complete'``) or the
            smallest (``'single'``) distance between their points.
        metric: ``'cosine'`` or ``'euclidean'``.

    Raises:
        ValueError: If an option is out of range.

    Examples:
        >>> from mmaction.registry import TASK_UTILS
        >>> clusterer = TASK_UTILS.build(dict(type="AgglomerativeClustering"))
        >>> clusterer(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]))
        array([0, 0, 1, 1])
    """

    distance_threshold: float = 0.24
    linkage: str = "average"
    metric: str = "cosine"

    def __post_init__(self) -> None:
        known = self.linkage in LINKAGES and self.metric in METRICS
        if not self.distance_threshold >= 0 or not known:
            raise ValueError(
                f"Invalid options {self}: distance_threshold must be >= 0, linkage one of "
                f"{', '.join(LINKAGES)}, and metric one of {', '.join(METRICS)}."
            )

    def __call__(self, embeddings: Array) -> np.ndarray:
        """Cluster embeddings.

        Args:
            embeddings: (N, D) array or tensor.

        Returns:
            (N,) int64 labels.

        Raises:
            ValueError: If all pairwise distances do not fit in the free memory.
        """
        from scipy.cluster.hierarchy import fcluster, linkage

        rows = _exact(embeddings, self.metric)
        _check_memory(self, len(rows), 8 * len(rows) ** 2, "their distances")
        if len(rows) < 2:
            return np.zeros(len(rows), dtype=np.int64)
        tree = linkage(_distances(rows, self.metric), self.linkage)
        # Clusters at exactly the threshold are not merged.
        below = np.nextafter(self.distance_threshold, -1)
        return renumber(fcluster(tree, below, criterion="distance"))


def _check_memory(clusterer: object, count: int, needed: int, reason: str) -> None:
    free = _free_memory()
    if needed > free:
        raise ValueError(
            f"{type(clusterer).__name__} of {count} embeddings needs {needed:,} bytes for "
            f"{reason}, but {free:,} are free on this machine: use FINCH or KMeans."
        )


def _free_memory() -> int:
    """Return the available memory in bytes, or the total where the system does not report it."""
    try:
        known = Path("/proc/meminfo").read_text()
        return 1024 * int(known.split("MemAvailable:")[1].split()[0])
    except (OSError, IndexError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _distances(rows: Tensor, metric: str) -> np.ndarray:
    """Compute the distances of all pairs i < j, (N (N - 1) / 2,) float64, in SciPy's order."""
    condensed = np.empty(len(rows) * (len(rows) - 1) // 2)
    starts = range(0, len(rows), _ROWS_AT_ONCE)
    end = 0
    for start in track(starts, len(starts), "Computing distances"):
        similar = exact_similarities(rows[start : start + _ROWS_AT_ONCE], rows[start:], metric)
        for i, row in enumerate(distances(similar, metric).clamp_min_(0).numpy()):
            begin, end = end, end + len(row) - i - 1
            condensed[begin:end] = row[i + 1 :]
    return condensed
