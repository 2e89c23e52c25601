"""From a model and the videos of a training set to a pseudo-label for each video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import compress
from logging import Logger
from pathlib import Path

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor
from torch.nn.functional import normalize

from ..clustering.team import Clusterer, cluster_on_all_ranks
from ..datasets.cluster_aware_dataset import ClusterAwareDataset
from ..datasets.label_store import NOISE
from .descriptors import descriptors_of
from .embedding import embed_videos, embedding_loader, keep_rows, new_matrix
from .report import check_embeddings

_BLOCK_ROWS = 1 << 16


class Labeller:
    """Embeds the videos of a training set and clusters them.

    Args:
        dataset: The training set.
        videos: Names of its N videos.
        clusterer: Maps (N, D) embeddings to (N,) labels, -1 for noise.
        pipelines: Evaluation pipelines; the clips of each make a view of the videos.
        descriptors: A descriptor file, as a further view.
        batch_size: Videos embedded at once on each rank.
        num_workers: Loader workers for embedding.
        max_bytes: Larger embeddings go to a memory-mapped file.
        folder: Where that file lies.

    Raises:
        FileNotFoundError: If there is no such descriptor file.
        ValueError: If it has too few of the videos.
    """

    def __init__(
        self,
        dataset: ClusterAwareDataset,
        videos: Sequence[str],
        clusterer: Clusterer,
        pipelines: Sequence[Sequence[dict | Callable]],
        descriptors: str | None,
        batch_size: int,
        num_workers: int,
        max_bytes: int,
        folder: Path,
    ) -> None:
        self.dataset = dataset
        self.videos = videos
        self.clusterer = clusterer
        self.loaders = [
            embedding_loader(dataset, pipeline, batch_size, num_workers) for pipeline in pipelines
        ]
        self.descriptors: Tensor | None = None
        self.has_descriptor = np.ones(len(dataset), dtype=bool)
        if descriptors is not None:
            self.descriptors, self.has_descriptor = descriptors_of(
                descriptors, dataset.videos, dataset.bad_videos.max_ratio
            )
        self.max_bytes = max_bytes
        self.folder = folder

    def __call__(
        self, model: BaseModel, logger: Logger, timeout: timedelta, trained: bool
    ) -> np.ndarray:
        """Cluster the videos by what a model makes of them; called by all ranks together.

        Args:
            model: A recognizer, see :func:`embed_videos`.
            logger: Where figures and warnings of the embeddings go.
            timeout: How long ranks wait for each other.
            trained: Whether this run has changed the model's weights.

        Returns:
            (N,) int64, the same on every rank. A video that cannot be read, or has no descriptor,
            is noise (-1): it belongs to no cluster, so it is nobody's positive.
        """
        views = [
            embed_videos(model, loader, len(self.videos), self.max_bytes, self.folder)
            for loader in self.loaders
        ]
        bad_videos = self.dataset.bad_videos
        bad_videos.merge_ranks()
        readable = ~bad_videos.unreadable.numpy() & self.has_descriptor
        for number, view in enumerate(views):
            views[number] = keep_rows(view, readable)
            check_embeddings(views[number], list(compress(self.videos, readable)), logger, trained)
        if self.descriptors is not None:
            rows = self.descriptors[torch.from_numpy(readable)]
            views.append(rows.to(views[0].device) if views else rows)
        embeddings = views[0]
        if self.descriptors is not None or len(views) > 1:
            embeddings = join_views(views, self.max_bytes, self.folder)
        labels = np.full(len(readable), NOISE)
        labels[readable] = cluster_on_all_ranks(self.clusterer, embeddings, timeout)
        return labels


def join_views(views: Sequence[Tensor], max_bytes: int, folder: Path) -> Tensor:
    """Join embeddings so that each view counts alike for which videos are near.

    Of each view, rows are scaled to length 1, centred, and scaled again. Without the centring a
    view whose embeddings are all similar, as those of faint frame differences are, would decide
    on no neighbour. The cosine of two joined rows is the mean of the views' cosines.

    Args:
        views: (N, D) each; D may differ.
        max_bytes: A larger result goes to a memory-mapped file.
        folder: Where that file lies.

    Returns:
        (N, sum of all D) float32, on the first view's device or in the file.
    """
    rows, width = len(views[0]), sum(view.size(1) for view in views)
    joined = new_matrix(rows, width, views[0].device, max_bytes, folder)
    begin = 0
    for view in views:
        columns = slice(begin, begin + view.size(1))
        begin = columns.stop
        total = torch.zeros(view.size(1), dtype=torch.float64, device=view.device)
        for block in view.split(_BLOCK_ROWS):
            total += normalize(block, dim=1).sum(dim=0, dtype=torch.float64)
        mean = (total / rows).float()
        for number, block in enumerate(view.split(_BLOCK_ROWS)):
            start = number * _BLOCK_ROWS
            centred = normalize(normalize(block, dim=1) - mean, dim=1)
            joined[start : start + len(block), columns] = centred.to(joined.device)
    return joined
