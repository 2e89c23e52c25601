"""Embedding all videos of a training set, each rank its share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import all_reduce
from mmengine.model import BaseModel
from torch import Tensor
from torch.utils.data import DataLoader

from ..datasets.cluster_aware_dataset import ClusterAwareDataset
from ..datasets.embedding_dataset import EmbeddingDataset, collate_readable
from ..models.evaluation_mode import evaluation_mode
from .embedding_matrix import new_matrix, sum_over_ranks


def embedding_loader(
    dataset: ClusterAwareDataset,
    pipeline: Sequence[dict | Callable],
    batch_size: int,
    num_workers: int,
) -> DataLoader:
    """This rank's share of a training set's videos, through an evaluation pipeline."""
    clips = EmbeddingDataset(dataset.videos, pipeline, dataset.bad_videos)
    return DataLoader(
        clips,
        batch_size=batch_size,
        sampler=DefaultSampler(clips, shuffle=False, round_up=False),
        num_workers=num_workers,
        collate_fn=collate_readable,
    )


@torch.no_grad()
def embed_videos(
    model: BaseModel, loader: DataLoader, num_videos: int, max_bytes: int, folder: Path
) -> Tensor:
    """Embed every readable video once, in evaluation mode, and put the mode back.

    The data sample of a video carries its ``video_index``, which decides the row, so
    neither the order of a loader nor of the ranks can shift an embedding to another
    video. There is one copy of the embeddings on each rank.

    Args:
        model (BaseModel): A recognizer, not wrapped for distribution, whose ``predict``
            writes ``embedding`` (D,) on the data samples.
        loader (DataLoader): Yields this rank's share of the videos; a batch may list under
            ``unreadable`` videos of which it has no clip.
        num_videos (int): Number N of videos over all ranks.
        max_bytes (int): Larger embeddings go to a memory-mapped file.
        folder (Path): Where that file lies.

    Returns:
        Tensor: (N, D) float32, the same on every rank, on the model's device or in the
        file; zero for an unreadable video.

    Raises:
        RuntimeError: If a video was not embedded, or found unreadable, exactly once.
        OSError: If the file has no room.
    """
    device = next(model.parameters()).device
    matrix: Tensor | None = None
    times = torch.zeros(num_videos, device=device)
    with evaluation_mode(model):
        for batch in loader:
            unreadable = batch.pop("unreadable", [])
            samples = model.test_step(batch) if batch else []
            indices = [sample.video_index for sample in samples]
            if samples:
                rows = torch.stack([sample.embedding for sample in samples]).float()
                if matrix is None:
                    matrix = new_matrix(num_videos, rows.size(1), device, max_bytes, folder)
                matrix[indices] = rows.to(matrix.device)
            seen = torch.tensor(indices + unreadable, dtype=torch.long, device=device)
            times.index_add_(0, seen, torch.ones_like(seen, dtype=times.dtype))

    all_reduce(times)
    if not bool((times == 1).all()):
        wrong = (times != 1).nonzero().flatten()
        raise RuntimeError(
            f"{len(wrong)} of {num_videos} training videos were not embedded exactly once; "
            f"the first is number {int(wrong[0])}."
        )
    width = torch.tensor(0 if matrix is None else matrix.size(1), device=device)
    all_reduce(width, "max")
    if matrix is None:
        # This rank had no video, but it needs the others' embeddings.
        matrix = new_matrix(num_videos, int(width), device, max_bytes, folder)
    if matrix.numel():
        sum_over_ranks(matrix, device)
    return matrix
