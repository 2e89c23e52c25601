"""Clusterers that find their number of clusters by density, and leave noise."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TASK_UTILS

from .dbscan import NOISE, dbscan
from .embeddings import METRICS, Embeddings, check_matrix, renumber
from .prepared_rows import PreparedRows
from .reachability import reachability


def _numbered(labels: np.ndarray) -> np.ndarray:
    """Labels (N,) int64 by first appearance; noise stays -1."""
    numbered = np.full(len(labels), NOISE, dtype=np.int64)
    member = labels != NOISE
    numbered[member] = renumber(labels[member])
    return numbered


@TASK_UTILS.register_module()
class DBSCAN:
    """Density-based clusters and noise (Ester et al., KDD 1996).

    The labels are scikit-learn's. Neighbourhoods are searched in blocks and not stored, so
    memory is O(N) even where all embeddings lie within ``eps`` (20,000 x 128 on one thread: 1 s,
    where scikit-learn takes 2 to 5 s and 1.4 GB).

    Args:
        eps (float): Radius of a neighbourhood, in units of the metric.
            Defaults to 0.14, of SLIC's comparison (CVPR 2022).
        min_samples (int): Points in a neighbourhood, the point itself included, that
            make its centre a core point.
        metric (str): ``'cosine'`` or ``'euclidean'``. An all-zero row has cosine distance 1 from
            all others.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(self, eps: float = 0.14, min_samples: int = 2, metric: str = "cosine") -> None:
        if not eps > 0 or min_samples < 1 or metric not in METRICS:
            raise ValueError(
                f"DBSCAN got eps={eps}, min_samples={min_samples} and metric={metric!r}: it "
                f"needs eps > 0, min_samples >= 1 and one of {', '.join(METRICS)}."
            )
        self.eps = eps
        self.min_samples = min_samples
        self.metric = metric

    def __call__(self, embeddings: Embeddings) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64, -1 for noise."""
        rows = PreparedRows(check_matrix(embeddings, self.metric), self.metric)
        return _numbered(dbscan(rows, self.eps, self.min_samples))


@TASK_UTILS.register_module()
class OPTICS:
    """Clusters of varying density and noise (Ankerst et al., SIGMOD 1999).

    Clusters are read from the reachability plot by the paper's xi method, as scikit-learn does
    it. Memory is O(N), time N^2 distances in N steps: 20,000 x 128 takes a minute on one thread.

    Args:
        min_samples (int): Points in a neighbourhood, the point itself included, that
            make its centre a core point. At least 2.
        metric (str): ``'cosine'`` or ``'euclidean'``. An all-zero row has cosine distance 1 from
            all others.
        max_eps (float): Largest radius of a neighbourhood.
        xi (float): Relative drop of reachability that bounds a cluster, from 0 to below 1.

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
        if min_samples < 2 or metric not in METRICS or not max_eps > 0 or not 0 <= xi < 1:
            raise ValueError(
                f"OPTICS got min_samples={min_samples}, metric={metric!r}, max_eps={max_eps} and "
                f"xi={xi}: it needs min_samples >= 2, one of {', '.join(METRICS)}, max_eps > 0 "
                f"and 0 <= xi < 1."
            )
        self.min_samples = min_samples
        self.metric = metric
        self.max_eps = max_eps
        self.xi = xi

    def __call__(self, embeddings: Embeddings) -> np.ndarray:
        """Cluster embeddings (N, D); returns labels (N,) int64, -1 for noise."""
        rows = PreparedRows(check_matrix(embeddings, self.metric), self.metric)
        if len(rows) < self.min_samples:
            # Nothing can be a core point.
            return np.full(len(rows), NOISE, dtype=np.int64)
        # Not above, as in quality.py: most runs never need scikit-learn, and it starts slowly.
        from sklearn.cluster import cluster_optics_xi

        plot = reachability(rows, self.min_samples, self.max_eps)
        # Duplicates have reachability 0, by which scikit-learn divides: infinite is meant.
        with np.errstate(divide="ignore"):
            labels, _ = cluster_optics_xi(
                reachability=plot.reachability,
                predecessor=plot.predecessor,
                ordering=plot.ordering,
                min_samples=self.min_samples,
                xi=self.xi,
            )
        return _numbered(labels)
