"""Noticing embeddings and clusterings from which nothing can be learned."""

from __future__ import annotations

from collections.abc import Sequence
from logging import Logger

import numpy as np
import torch
from torch import Tensor

_BLOCK_ELEMENTS = 1 << 22


def check_embeddings(embeddings: Tensor, videos: Sequence[str], logger: Logger) -> None:
    """Stop at values that cannot be clustered, warn of those that say nothing.

    Args:
        embeddings (Tensor): (N, D).
        videos (Sequence[str]): N names, for the messages.
        logger (Logger): Where warnings go.

    Raises:
        FloatingPointError: If an embedding has a NaN or an infinite value.
    """
    blocks = embeddings.split(max(1, _BLOCK_ELEMENTS // max(1, embeddings.size(1))))
    finite = torch.cat([block.isfinite().all(1) for block in blocks])
    broken = (~finite).nonzero().flatten().tolist()
    if len(broken):
        raise FloatingPointError(
            f"{len(broken)} of {len(videos)} embeddings are not finite (first: "
            f"{videos[broken[0]]}): the weights have diverged; resume from an earlier checkpoint "
            "with a lower learning rate."
        )
    zero = (~torch.cat([block.any(1) for block in blocks])).nonzero().flatten().tolist()
    if len(zero):
        logger.warning(
            f"{len(zero)} of {len(videos)} embeddings are zero (first: {videos[zero[0]]}): they "
            "have no direction, so the cosine distance cannot place them."
        )


def degenerate_clustering(labels: np.ndarray) -> str | None:
    """Say what is wrong with a clustering that gives no training signal.

    Args:
        labels (np.ndarray): (N,) int64, -1 for noise.

    Returns:
        str | None: One sentence, or None if there are clusters to learn from.
    """
    clusters, sizes = np.unique(labels[labels >= 0], return_counts=True)
    if len(clusters) == 0:
        return "Every video is noise: no video has a positive but itself."
    if len(clusters) == 1 and sizes[0] == len(labels) > 1:
        return (
            "All videos fell into one cluster: there are no negatives and the triplet loss is "
            "zero; the embeddings have probably collapsed."
        )
    if sizes.max() == 1:
        return "No two videos share a cluster: every video is its own positive."
    return None
