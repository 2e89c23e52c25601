"""Embedding all videos of a training set, each rank its share."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModel
from torch import Tensor
from torch.utils.data import DataLoader


@torch.no_grad()
def embed_videos(model: BaseModel, loader: DataLoader, num_videos: int) -> Tensor:
    """Embed every video once, in evaluation mode, and put the mode back.

    The data sample of a video carries its ``video_index``, which decides the row, so
    neither the order of a loader nor of the ranks can shift an embedding to another
    video.

    Args:
        model (BaseModel): A recognizer, not wrapped for distribution, whose ``predict``
            writes ``embedding`` (D,) on the data samples.
        loader (DataLoader): Yields this rank's share of the videos.
        num_videos (int): Number N of videos over all ranks.

    Returns:
        Tensor: (N, D) float32, the same on every rank.

    Raises:
        RuntimeError: If a video was not embedded exactly once.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    indices, rows = [], []
    for batch in loader:
        for sample in model.test_step(batch):
            indices.append(sample.video_index)
            rows.append(sample.embedding)
    for module, mode in modes.items():
        module.training = mode
    width = torch.tensor(rows[0].numel() if rows else 0)
    all_reduce(width, "max")
    device = next(model.parameters()).device
    # One row per video and an exact sum: every row is zero on all ranks but one.
    embeddings = torch.zeros(num_videos, int(width), device=device)
    times = torch.zeros(num_videos, device=device)
    if rows:
        embeddings[indices] = torch.stack(rows).to(device)
        times.index_add_(0, torch.tensor(indices, device=device), torch.ones_like(times[indices]))
    all_reduce(embeddings)
    all_reduce(times)
    if not bool((times == 1).all()):
        wrong = int((times != 1).sum())
        raise RuntimeError(
            f"{wrong} of {num_videos} training videos were not embedded exactly once; "
            "the first is number "
            f"{int((times != 1).nonzero()[0])}."
        )
    return embeddings
