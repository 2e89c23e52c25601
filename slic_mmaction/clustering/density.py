"""Clusterers of scikit-learn that find their number of clusters: by density or by linkage."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TASK_UTILS
from sklearn import cluster

from .embeddings import METRICS, Embeddings, as_matrix, renumber

NOISE = -1
LINKAGES = ("average", "complete", "single")


def _rows(embeddings: Embeddings, metric: str) -> np.ndarray:
    return as_matrix(embeddings, metric).cpu().numpy()


def _numbered(labels: np.ndarray) -> np.ndarray:
    """Labels (N,) int64 by first appearance; noise stays -1."""
    numbered = np.full(len(labels), NOISE, dtype=np.int64)
    member = labels != NOISE
    numbered[member] = renumber(labels[member])
    return numbered


@TASK_UTILS.register_module()
class DBSCAN:
    """Density-based clusters and noise (Ester et al., KDD 1996), by scikit-learn.

    Memory grows with the number of pairs closer than ``eps``.

    Args:
        eps (float): Radius of a neighbourhood, in units of the metric.
            Defaults to 0.14, of SLIC's comparison (CVPR 2022).
        min_samples (int): Points in a neighbourhood, the point itself included, that
            make its centre a core point.
        metric (str): ``'cosine'`` or ``'euclidean'``.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(self, eps: float = 0.14, min_samples: int = 2, metric: str = "cosine") -> None:
        if not eps > 0 or min_samples < 1 or metric not in METRICS:
            raise ValueError(
                f"DBSCAN got eps={eps}, min_samples={min_samples} and metric={metric!r}: it "
                f"needs eps > 0, min_samples >= 1 and one of {', '.join(METRICS)}."
            )
        self.metric = metric
        self.estimator = cluster.DBSCAN(eps=eps, min_samples=min_samples, metric=metric)

    def __call__(self, embeddings: Embeddings) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64, -1 for noise."""
        rows = _rows(embeddings, self.metric)
        return _numbered(self.estimator.fit_predict(rows))


@TASK_UTILS.register_module()
class OPTICS:
    """Clusters of varying density and noise (Ankerst et al., SIGMOD 1999), by scikit-learn.

    Clusters are read from the reachability plot by the paper's xi method.

    Args:
        min_samples (int): Points in a neighbourhood, the point itself included, that
            make its centre a core point. At least 2.
        metric (str): ``'cosine'`` or ``'euclidean'``.
        max_eps (float): Largest radius of a neighbourhood; less is faster.
        xi (float): Relative drop of reachability that bounds a cluster, 0..1.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        min_samples: int = 2,
        metric: str = "cosine",
        max_eps: float = float("inf"),
        xi: float = 0.05,
    ) -> None:
        if min_samples < 2 or metric not in METRICS or not max_eps > 0 or not 0 <= xi <= 1:
            raise ValueError(
                f"OPTICS got min_samples={min_samples}, metric={metric!r}, max_eps={max_eps} and "
                f"xi={xi}: it needs min_samples >= 2, one of {', '.join(METRICS)}, max_eps > 0 "
                f"and xi in 0..1."
            )
        self.min_samples = min_samples
        self.metric = metric
        self.estimator = cluster.OPTICS(
            min_samples=min_samples, metric=metric, max_eps=max_eps, xi=xi
        )

    def __call__(self, embeddings: Embeddings) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64, -1 for noise."""
        rows = _rows(embeddings, self.metric)
        if len(rows) < self.min_samples:
            # Nothing can be a core point; scikit-learn raises instead.
            return np.full(len(rows), NOISE, dtype=np.int64)
        # Duplicates have reachability 0, by which scikit-learn divides: infinite is meant.
        with np.errstate(divide="ignore"):
            return _numbered(self.estimator.fit_predict(rows))


@TASK_UTILS.register_module()
class AgglomerativeClustering:
    """Bottom-up merging of clusters until they are far enough apart, by scikit-learn.

    Args:
        distance_threshold (float): Clusters this far apart or farther are not merged.
            Defaults to 0.24, of SLIC's comparison (CVPR 2022).
        linkage (str): Distance of clusters: ``'average'``, ``'complete'`` or ``'single'``.
        metric (str): ``'cosine'`` or ``'euclidean'``.
        max_bytes (int): Largest matrix of distances, N x N float64, that is allowed.
            Defaults to 4 GiB, enough for 23,170 embeddings.

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
        self.metric = metric
        self.max_bytes = max_bytes
        self.estimator = cluster.AgglomerativeClustering(
            n_clusters=None, distance_threshold=distance_threshold, linkage=linkage, metric=metric
        )

    def __call__(self, embeddings: Embeddings) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64.

        Raises:
            ValueError: If the distances would take more than ``max_bytes``, or a row is
                all zero and the metric is cosine.
        """
        rows = _rows(embeddings, self.metric)
        needed = 8 * len(rows) ** 2
        if needed > self.max_bytes:
            raise ValueError(
                f"AgglomerativeClustering of {len(rows)} embeddings needs {needed} bytes for their "
                f"distances, more than max_bytes={self.max_bytes}: use FINCH or KMeans, or raise "
                f"max_bytes."
            )
        if len(rows) == 1:
            return np.zeros(1, dtype=np.int64)
        return _numbered(self.estimator.fit_predict(rows))
