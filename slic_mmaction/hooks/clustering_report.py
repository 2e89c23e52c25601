"""What is logged of a clustering."""

from __future__ import annotations

import logging

import numpy as np

from ..clustering.quality import cluster_quality, cluster_stability, size_bins
from .sanity import degenerate_clustering


def clustering_report(
    labels: np.ndarray, true_labels: np.ndarray | None, previous: np.ndarray | None
) -> tuple[dict[str, float], list[tuple[int, str]]]:
    """Figures of a clustering for curves and for people.

    Args:
        labels (np.ndarray): (N,) int64, -1 for noise.
        true_labels (np.ndarray, optional): (N,) int64, to compare with.
        previous (np.ndarray, optional): (N,) labels of the clustering before.

    Returns:
        tuple[dict[str, float], list[tuple[int, str]]]: Scalars by name
        (``cluster/clusters``, ...; with ``previous`` also ``cluster/stability``, the adjusted
        Rand index with it), and logging levels and lines: these scalars, the number of clusters
        by size and, if there is nothing to learn from, a warning.
    """
    quality = cluster_quality(labels, true_labels)
    if previous is not None:
        quality["stability"] = cluster_stability(previous, labels)
    figures = "  ".join(f"{name}: {value:.4g}" for name, value in quality.items())
    sizes = "  ".join(f"{size}: {count}" for size, count in size_bins(labels).items())
    lines = [(logging.INFO, figures), (logging.INFO, f"clusters by size  {sizes or 'none'}")]
    warning = degenerate_clustering(labels)
    if warning:
        lines.append((logging.WARNING, warning))
    return {f"cluster/{name}": value for name, value in quality.items()}, lines
