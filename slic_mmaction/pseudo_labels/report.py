"""Checking, logging and saving embeddings and their clusters."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from logging import Logger
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..clustering.quality import cluster_quality, cluster_stability, size_bins
from ..durable_file import durable_file

_BLOCK_ELEMENTS = 1 << 22
# Number of evenly chosen rows for the spread, enough for three digits of both figures.
_SAMPLE = 4096
# The paper's triplet margin requires cosines of at most 0.8 between clusters. Untrained networks
# have from 0.4 (Swin) to 0.99998 (C3D), so only trained networks are judged.
_ALIKE = 0.999
# A single axis of variation gives 1. With fewer embeddings, the effective rank means nothing.
_ONE_AXIS, _ENOUGH = 1.5, 32
# With this share of all videos in a cluster, there are few negatives, and positives are random.
_NEARLY_ALL = 0.9


def spread_of(embeddings: Tensor) -> tuple[float, float] | None:
    """Measure the spread of the directions of embeddings (N, D), on at most 4096 of them.

    Returns:
        The mean cosine of all pairs, 1 if all directions are equal; and the effective rank of the
        covariance (Roy and Vetterli, EUSIPCO 2007), the number of directions in which embeddings
        vary, from 1 to D, or 0 if all are equal. None if fewer than two embeddings are not zero.
    """
    step = max(1, -(-len(embeddings) // _SAMPLE))
    sample = embeddings[::step].cpu().double()
    sample = normalize(sample[sample.any(dim=1)], dim=1, eps=0)
    count = len(sample)
    if count < 2:
        return None
    centre = sample.mean(dim=0)
    # The squared length of the sum is the sum of all cosines, including each row with itself.
    mean_cosine = float((count * centre.square().sum() - 1) / (count - 1))
    centred = sample - centre
    variances = torch.linalg.eigvalsh(centred.T @ centred / count).clamp_min(0)
    total = variances.sum()
    if total <= torch.finfo(torch.float32).eps ** 2:  # the rounding of equal rows
        return mean_cosine, 0.0
    shares = variances[variances > 0] / total
    return mean_cosine, float(torch.exp(-(shares * shares.log()).sum()))


def check_embeddings(
    embeddings: Tensor, videos: Sequence[str], logger: Logger, trained: bool
) -> None:
    """Check that embeddings are finite, log their spread, and warn of a collapse.

    A collapse does not stop the run, because no limit distinguishes it from a slow start for all
    networks.

    Args:
        embeddings: (N, D) floats.
        videos: N names, for messages.
        logger: Logger of figures and warnings.
        trained: Whether this run has changed the weights. If not, a collapse is not reported.

    Raises:
        FloatingPointError: If an embedding has a NaN or an infinite value.
    """
    blocks = embeddings.split(max(1, _BLOCK_ELEMENTS // max(1, embeddings.size(1))))
    finite = torch.cat([block.isfinite().all(1) for block in blocks])
    broken = (~finite).nonzero().flatten().tolist()
    if len(broken):
        raise FloatingPointError(
            f"{len(broken)} of {len(videos)} embeddings are not finite (first: "
            f"{videos[broken[0]]}): the weights have diverged; start from an earlier "
            "checkpoint (load_from) with a lower learning rate."
        )
    zero = (~torch.cat([block.any(1) for block in blocks])).nonzero().flatten().tolist()
    if len(zero):
        logger.warning(
            f"{len(zero)} of {len(videos)} embeddings are zero (first: {videos[zero[0]]}): they "
            "have no direction, so the cosine distance cannot place them."
        )
    spread = spread_of(embeddings)
    if spread is None:
        return
    mean_cosine, effective_rank = spread
    logger.info(
        f"Embeddings of {len(videos)} videos  mean cosine: {mean_cosine:.5f}  "
        f"effective rank: {effective_rank:.1f} of {embeddings.size(1)}"
    )
    if not trained:
        return
    advice = (
        "start from an earlier checkpoint (load_from) with a lower learning rate, or check the "
        "margins and the learning rate if this is so from the start."
    )
    if mean_cosine > _ALIKE:
        logger.warning(
            "The embeddings have collapsed: the mean cosine of two of them is "
            f"{mean_cosine:.6f}, so nearest neighbours and clusters are almost random; "
            f"{advice}"
        )
    elif len(videos) >= _ENOUGH and effective_rank < _ONE_AXIS:
        logger.warning(
            "The embeddings have collapsed onto a line: their effective rank is "
            f"{effective_rank:.2f}, so they vary along a single direction; {advice}"
        )


def degenerate_clustering(labels: np.ndarray) -> str | None:
    """Return a warning for labels (N,) that give no training signal, or None."""
    sizes = np.unique(labels[labels >= 0], return_counts=True)[1]
    if len(sizes) == 0:
        return "Every video is noise: each video is its own only positive."
    # This does not show whether embeddings have collapsed; their spread does.
    causes = (
        "the mean cosine and effective rank in the log show whether the embeddings have collapsed "
        "or the clusterer's settings merge too much."
    )
    if sizes[0] == len(labels) > 1:
        return (
            "All videos are in one cluster: there are no negatives and the triplet loss is "
            f"zero; {causes}"
        )
    if sizes.max() == 1:
        return "No two videos share a cluster: each video is its own only positive."
    share = sizes.max() / len(labels)
    if share > _NEARLY_ALL:
        return (
            f"One of {len(sizes)} clusters has {share:.1%} of all videos: there are few negatives, "
            f"and positives are almost random; {causes}"
        )
    return None


def clustering_report(
    labels: np.ndarray, true_labels: np.ndarray | None, previous: np.ndarray | None
) -> tuple[dict[str, float], list[tuple[int, str]]]:
    """Report a clustering (N,) as scalars and as lines of the log.

    Returns:
        Scalars by name (``cluster/clusters``, ...; with ``previous`` also ``cluster/stability``,
        the adjusted Rand index with it), and logging levels and lines: these scalars, the number
        of clusters by size and, if the labels give no training signal, a warning.
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


def save_labels(path: Path, labels: np.ndarray, videos: Sequence[str], epoch: int) -> None:
    """Write labels (N,), their videos, and the epoch that followed the clustering."""
    with durable_file(path) as file:
        np.savez_compressed(file, labels=labels, videos=np.array(videos), epoch=epoch)
