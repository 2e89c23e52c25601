"""How good, and how balanced, a clustering is."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from .embeddings import renumber


def cluster_quality(labels: np.ndarray, true_labels: np.ndarray | None = None) -> dict[str, float]:
    """Sizes of clusters, and agreement with true labels where there are any.

    Points labelled -1 are noise. They count in no cluster size; for the agreement each noise
    point is a cluster of its own, so that calling everything noise earns nothing from AMI.

    Args:
        labels: (N,) integers, N >= 1; < 0 is noise.
        true_labels: (N,) integers, only to report with.

    Returns:
        ``clusters``, ``noise`` (counts), ``largest`` and ``median`` (points per cluster; 0
        without clusters); with true labels also ``nmi`` and ``ami`` (arithmetic mean of the
        entropies as the normaliser, as in scikit-learn) and ``purity`` (share of points of their
        cluster's commonest class).

    Raises:
        ValueError: If there are no labels or their shapes differ.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(
            f"cluster_quality needs labels of shape (N,), N >= 1, but got {labels.shape}."
        )
    noise = labels < 0
    sizes = np.unique(labels[~noise], return_counts=True)[1]
    quality = {
        "clusters": float(len(sizes)),
        "noise": float(noise.sum()),
        "largest": float(sizes.max(initial=0)),
        "median": float(np.median(sizes)) if len(sizes) else 0.0,
    }
    if true_labels is None:
        return quality
    true_labels = np.asarray(true_labels)
    if true_labels.shape != labels.shape:
        raise ValueError(
            f"cluster_quality compares labels {labels.shape} with true labels of "
            f"another shape {true_labels.shape}."
        )
    # Compact first: scikit-learn warns about labels that look like a continuous target.
    found = renumber(np.where(noise, labels.max(initial=0) + 1 + np.arange(len(labels)), labels))
    truth = renumber(true_labels)
    table = contingency_matrix(truth, found, sparse=True)
    quality["nmi"] = float(normalized_mutual_info_score(truth, found))
    quality["ami"] = float(adjusted_mutual_info_score(truth, found))
    quality["purity"] = float(table.max(axis=0).sum()) / len(labels)
    return quality
