"""Clustering on all ranks of ``torch.distributed``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from mmengine.dist import get_world_size
from torch import Tensor

from ..ranks import lost_rank, on_main
from .finch import FINCH
from .neighbors import first_neighbors

# (N, D) embeddings to (N,) integer labels, -1 for noise.
Clusterer = Callable[[Tensor], np.ndarray]


def cluster_on_all_ranks(clusterer: Clusterer, embeddings: Tensor) -> np.ndarray:
    """Cluster with the help of all ranks; every rank calls this with the same embeddings.

    The first neighbours that FINCH needs are searched by all ranks, each its share. The rest of
    FINCH, and any other clusterer, runs on rank 0 while the others wait, so it must end within the
    time-out of the process group.

    Args:
        clusterer: Called on rank 0 only.
        embeddings: (N, D), the same on all ranks, on the device that is to search.

    Returns:
        (N,) labels, the same on every rank and for every number of ranks.

    Raises:
        LostRankError: If another rank died or gave no answer within the time-out.
        Exception: What the clusterer raised, on every rank.
    """
    if get_world_size() == 1:
        return clusterer(embeddings)
    try:
        if isinstance(clusterer, FINCH) and len(embeddings) > 1:
            finch = clusterer
            neighbors = first_neighbors(embeddings, finch.metric, on_all_ranks=True)
            return on_main(lambda: finch(embeddings, neighbors))
        return on_main(lambda: clusterer(embeddings))
    except RuntimeError as error:
        lost = lost_rank(error)
        if lost is None:
            raise
        raise lost from error
