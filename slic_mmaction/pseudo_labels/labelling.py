"""Computing a pseudo-label for each video of a training set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from logging import Logger

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor
from torch.nn.functional import normalize
from torch.utils.data import DataLoader

from ..clustering.all_ranks import Clusterer, cluster_on_all_ranks
from ..datasets.cluster_aware_dataset import ClusterAwareDataset
from ..datasets.label_store import NOISE
from .embedding import embed_videos
from .report import check_embeddings


def label_videos(
    model: BaseModel,
    dataset: ClusterAwareDataset,
    clusterer: Clusterer,
    loaders: Sequence[DataLoader],
    descriptors: tuple[Tensor, np.ndarray] | None,
    names: Sequence[str],
    logger: Logger,
    *,
    trained: bool,
) -> np.ndarray:
    """Embed the videos of a training set and cluster them; every rank calls this.

    Args:
        model: Recognizer, see :func:`embed_videos`.
        dataset: Training set of N videos.
        clusterer: Function from (M, D) embeddings to (M,) labels, -1 for noise.
        loaders: Loaders from :func:`embedding_loader`, one for each view of the videos.
        descriptors: A further view, see :func:`descriptors_of`.
        names: N names of the videos, for messages.
        logger: Logger of :func:`check_embeddings`.
        trained: Whether this run has changed the model's weights.

    Returns:
        (N,) int64, the same on every rank. An unreadable video, or one without a descriptor, is
        noise (-1): it belongs to no cluster and is never a positive of another video.
    """
    views = [embed_videos(model, loader, len(names)) for loader in loaders]
    dataset.bad_videos.merge_ranks()
    usable = ~dataset.bad_videos.unreadable.numpy()
    if descriptors is not None:
        usable &= descriptors[1]
    for number, view in enumerate(views):
        views[number] = view[torch.from_numpy(usable).to(view.device)]
        check_embeddings(views[number], list(compress(names, usable)), logger, trained)
    if descriptors is not None:
        rows = descriptors[0][torch.from_numpy(usable)]
        views.append(rows.to(views[0].device) if views else rows)
    embeddings = views[0]
    if descriptors is not None or len(views) > 1:
        embeddings = concatenate_views(views)
    labels = np.full(len(names), NOISE)
    labels[usable] = cluster_on_all_ranks(clusterer, embeddings)
    return labels


def concatenate_views(views: Sequence[Tensor]) -> Tensor:
    """Concatenate embeddings so that all views have the same influence on nearest neighbours.

    The rows of each view are scaled to length 1, centred, and scaled again. Without centring, a
    view whose embeddings are all similar, such as those of weak frame differences, would have no
    influence. The cosine of two concatenated rows is the mean of the cosines of the views.

    Args:
        views: (N, D) each; D may differ.

    Returns:
        (N, sum of all D) float32.
    """
    scaled = []
    for view in views:
        units = normalize(view, dim=1)
        mean = units.mean(dim=0, dtype=torch.float64).float()
        scaled.append(normalize(units - mean, dim=1))
    return torch.cat(scaled, dim=1)
