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

    For FINCH, each rank searches its share of the first neighbours. The rest of FINCH, and any
    other clusterer, runs on rank 0 while the others wait. It must therefore end within the
    timeout of the process group.

    Args:
        clusterer: Function from (N, D) embeddings to (N,) labels, called on rank 0 only.
        embeddings: (N, D), the same on all ranks, on the device of the search.

    Returns:
        (N,) labels, the same on every rank and for every number of ranks.

    Raises:
        LostRankError: If another rank died or did not answer within the timeout.
        Exception: On every rank, the exception that the clusterer raised.

    Examples:
        >>> from slic_mmaction.clustering import FINCH, cluster_on_all_ranks
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
        >>> cluster_on_all_ranks(FINCH(), embeddings)  # works in one process, too
        array([0, 0, 1, 1])
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
