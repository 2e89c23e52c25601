"""Clustering on one rank for all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from mmengine.dist import broadcast_object_list, is_main_process

# (N, D) embeddings to (N,) integer labels, -1 for noise.
Clusterer = Callable[[np.ndarray], np.ndarray]


def cluster_on_main_rank(clusterer: Clusterer, embeddings: np.ndarray) -> np.ndarray:
    """Cluster on rank 0 and send the labels to all ranks.

    Args:
        clusterer (Clusterer): Called on rank 0 only.
        embeddings (np.ndarray): (N, D).

    Returns:
        np.ndarray: (N,) labels, the same on every rank.

    Raises:
        Exception: What the clusterer raised, on every rank; raised on rank 0 alone it
            would leave the others waiting.
    """
    outcome: list[np.ndarray | Exception] = [np.empty(0, dtype=np.int64)]
    if is_main_process():
        try:
            outcome[0] = clusterer(embeddings)
        except Exception as error:
            outcome[0] = error
    broadcast_object_list(outcome)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]
