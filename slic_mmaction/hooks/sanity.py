"""Noticing embeddings and clusterings from which nothing can be learned."""

from __future__ import annotations

from collections.abc import Sequence
from logging import Logger

import numpy as np
import torch
from torch import Tensor

from .spread import Spread, spread_of

_BLOCK_ELEMENTS = 1 << 22
# The paper's triplet margin asks for cosines of 0.8 and less between clusters. Untrained networks
# were seen from 0.4 (Swin) to 0.99998 (C3D), so only what training has made is judged.
_ALIKE = 0.999
# One axis of variation alone gives 1; fewer embeddings than this say nothing about axes.
_ONE_AXIS, _ENOUGH = 1.5, 32
# A cluster with this share of all videos leaves hardly a negative, and positives at random.
_NEARLY_ALL = 0.9


def check_embeddings(
    embeddings: Tensor, videos: Sequence[str], logger: Logger, trained: bool = True
) -> Spread | None:
    """Stop at values that cannot be clustered, log the spread, warn of what says nothing.

    A collapse is no reason to stop: no limit separates it for every network from a slow start,
    and the figures are there to decide by.

    Args:
        embeddings (Tensor): (N, D).
        videos (Sequence[str]): N names, for the messages.
        logger (Logger): Where figures and warnings go.
        trained (bool): Whether this run has changed the weights. Defaults to True.

    Returns:
        Spread | None: The spread, if there is one.

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
    spread = spread_of(embeddings)
    if spread is not None:
        logger.info(
            f"Embeddings of {len(videos)} videos  mean cosine: {spread.mean_cosine:.5f}  "
            f"effective rank: {spread.effective_rank:.1f} of {embeddings.size(1)}"
        )
        warning = collapsed(spread, len(videos)) if trained else None
        if warning:
            logger.warning(warning)
    return spread


def collapsed(spread: Spread, count: int) -> str | None:
    """Say that embeddings of a trained network are alike, or differ in one respect only.

    Args:
        spread (Spread): Of the embeddings.
        count (int): Their number N.

    Returns:
        str | None: One sentence, or None if there is nothing to say.
    """
    advice = (
        "go on from an earlier checkpoint with a lower learning rate, or look at the margins and "
        "the learning rate if it began like this"
    )
    if spread.mean_cosine > _ALIKE:
        return (
            f"The embeddings have collapsed: the mean cosine of two of them is "
            f"{spread.mean_cosine:.6f}, so neighbours and clusters are hardly more than chance; "
            f"{advice}."
        )
    if count >= _ENOUGH and spread.effective_rank < _ONE_AXIS:
        return (
            "The embeddings have collapsed onto a line: their effective rank is "
            f"{spread.effective_rank:.2f}, so videos differ in a single respect; {advice}."
        )
    return None


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
    share = sizes.max() / len(labels)
    if share > _NEARLY_ALL:
        return (
            f"One of {len(clusters)} clusters holds {share:.1%} of all videos: hardly any "
            "negatives, and nearly random positives; the embeddings have probably collapsed, or "
            "the clusterer's settings join too much."
        )
    return None
