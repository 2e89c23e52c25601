"""What is checked, logged and saved of embeddings and of their clustering."""

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
# Rows whose spread is measured, evenly over all: enough for the third digit of either figure.
_SAMPLE = 4096
# The paper's triplet margin asks for cosines of 0.8 and less between clusters. Untrained networks
# were seen from 0.4 (Swin) to 0.99998 (C3D), so only what training has made is judged.
_ALIKE = 0.999
# One axis of variation alone gives 1; fewer embeddings than this say nothing about axes.
_ONE_AXIS, _ENOUGH = 1.5, 32
# A cluster with this share of all videos leaves hardly a negative, and positives at random.
_NEARLY_ALL = 0.9


def spread_of(embeddings: Tensor) -> tuple[float, float] | None:
    """How far apart embeddings (N, D) lie as directions, measured on at most 4096 of them.

    Returns:
        The mean cosine of all pairs, 1 if all directions are the same; and the effective rank, the
        number of directions in which embeddings differ from their mean, from 1 to D, by the
        covariance (Roy and Vetterli, EUSIPCO 2007), 0 if all are the same. None if fewer than two
        embeddings are not zero.
    """
    step = max(1, -(-len(embeddings) // _SAMPLE))
    sample = embeddings[::step].cpu().double()
    sample = normalize(sample[sample.any(dim=1)], dim=1, eps=0)
    count = len(sample)
    if count < 2:
        return None
    centre = sample.mean(dim=0)
    # The squared length of the sum is that of all pairs' cosines, each row with itself included.
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
    """Stop at values that cannot be clustered, log the spread, warn of a collapse.

    A collapse is no reason to stop: no limit separates it for every network from a slow start,
    and the figures are there to decide by.

    Embeddings are (N, D), ``videos`` their N names, and ``trained`` tells whether this run has
    changed the weights.

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
        "go on from an earlier checkpoint with a lower learning rate, or look at the margins and "
        "the learning rate if it began like this."
    )
    if mean_cosine > _ALIKE:
        logger.warning(
            "The embeddings have collapsed: the mean cosine of two of them is "
            f"{mean_cosine:.6f}, so neighbours and clusters are hardly more than chance; "
            f"{advice}"
        )
    elif len(videos) >= _ENOUGH and effective_rank < _ONE_AXIS:
        logger.warning(
            "The embeddings have collapsed onto a line: their effective rank is "
            f"{effective_rank:.2f}, so videos differ in a single respect; {advice}"
        )


def degenerate_clustering(labels: np.ndarray) -> str | None:
    """One sentence on what is wrong with labels (N,) that give no training signal, or None."""
    sizes = np.unique(labels[labels >= 0], return_counts=True)[1]
    if len(sizes) == 0:
        return "Every video is noise: no video has a positive but itself."
    # Whether embeddings have collapsed is told by their spread, not by this.
    causes = (
        "the mean cosine and effective rank in the log tell whether the embeddings have collapsed "
        "or the clusterer's settings join too much."
    )
    if sizes[0] == len(labels) > 1:
        return (
            "All videos fell into one cluster: there are no negatives and the triplet loss is "
            f"zero; {causes}"
        )
    if sizes.max() == 1:
        return "No two videos share a cluster: every video is its own positive."
    share = sizes.max() / len(labels)
    if share > _NEARLY_ALL:
        return (
            f"One of {len(sizes)} clusters holds {share:.1%} of all videos: hardly any "
            f"negatives, and nearly random positives; {causes}"
        )
    return None


def clustering_report(
    labels: np.ndarray, true_labels: np.ndarray | None, previous: np.ndarray | None
) -> tuple[dict[str, float], list[tuple[int, str]]]:
    """Figures of a clustering (N,) for curves and for people.

    Returns:
        Scalars by name (``cluster/clusters``, ...; with ``previous`` also ``cluster/stability``,
        the adjusted Rand index with it), and logging levels and lines: these scalars, the number
        of clusters by size and, if there is nothing to learn from, a warning.
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
    """Write labels (N,), their videos and the epoch before which these were clustered."""
    with durable_file(path) as file:
        np.savez_compressed(file, labels=labels, videos=np.array(videos), epoch=epoch)
