"""Noticing embeddings and clusterings from which nothing can be learned."""

from __future__ import annotations

from collections.abc import Sequence
from logging import Logger

import numpy as np


def check_embeddings(embeddings: np.ndarray, videos: Sequence[str], logger: Logger) -> None:
    """Stop at values that cannot be clustered, warn of those that say nothing.

    Args:
        embeddings (np.ndarray): (N, D).
        videos (Sequence[str]): N names, for the messages.
        logger (Logger): Where warnings go.

    Raises:
        FloatingPointError: If an embedding has a NaN or an infinite value.
    """
    broken = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(broken):
        raise FloatingPointError(
            f"{len(broken)} of {len(videos)} embeddings are not finite (first: "
            f"{videos[broken[0]]}): the weights have diverged; resume from an earlier checkpoint "
            "with a lower learning rate."
        )
    zero = np.flatnonzero(~embeddings.any(axis=1))
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
