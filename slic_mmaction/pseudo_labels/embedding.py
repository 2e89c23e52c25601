"""Embedding all videos of a training set, on each rank a share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from mmengine.dataset import Compose, DefaultSampler, pseudo_collate
from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import EMAHook
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..datasets.cluster_aware_dataset import ClusterAwareDataset
from ..datasets.videos import make_clips, video_info
from ..decoding import UnreadableVideoError
from ..models.evaluation_mode import evaluation_mode
from ..progress import SLOW_INTERVAL, progress_bar


def embedding_model(runner: Runner, averaged: bool) -> BaseModel:
    """Return the unwrapped network of a training, or its average by EMAHook.

    Raises:
        ValueError: If ``averaged`` is set without an EMAHook.
    """
    if not averaged:
        return runner.model.module if is_model_wrapper(runner.model) else runner.model
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            return hook.ema_model.module
    raise ValueError(
        "PseudoLabelHook(averaged=True) clusters by averaged weights, but nothing averages them: "
        "add dict(type='EMAHook', momentum=0.01, update_buffers=True) to custom_hooks."
    )


class EmbeddingDataset(Dataset):
    """Dataset of the videos of a training set with an evaluation pipeline.

    It has the same list of videos as the training set, so that index i is the same video in both
    and every label belongs to its video. It also has the same list of unreadable videos. They are
    not replaced here: an unreadable video has no clip.
    """

    def __init__(self, dataset: ClusterAwareDataset, pipeline: Sequence[dict | Callable]) -> None:
        self.videos = dataset.videos
        self.bad_videos = dataset.bad_videos
        self.pipeline = Compose(pipeline)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> dict:
        """Return ``inputs`` and ``data_samples`` with ``video_index``, or ``unreadable=index``."""
        results = video_info(self.videos, index)
        try:
            with self.bad_videos.reading(index):
                sample = make_clips(self.pipeline, results, views=1)
        except UnreadableVideoError:
            return dict(unreadable=index)
        self.bad_videos.note_lost(index, results)
        sample["data_samples"].set_metainfo(dict(video_index=index))
        return sample


def collate_readable(samples: Sequence[dict]) -> dict:
    """Batch samples of :class:`EmbeddingDataset`; ``unreadable`` lists videos without a clip."""
    clips = [sample for sample in samples if "unreadable" not in sample]
    batch = pseudo_collate(clips) if clips else {}
    unreadable = [sample["unreadable"] for sample in samples if "unreadable" in sample]
    return dict(batch, unreadable=unreadable)


def embedding_loader(
    dataset: ClusterAwareDataset, pipeline: Sequence[dict | Callable], batch_size: int, workers: int
) -> DataLoader:
    """Build the loader of this rank's share of a training set, with an evaluation pipeline."""
    clips = EmbeddingDataset(dataset, pipeline)
    return DataLoader(
        clips,
        batch_size=batch_size,
        sampler=DefaultSampler(clips, shuffle=False, round_up=False),
        num_workers=workers,
        collate_fn=collate_readable,
        pin_memory=torch.cuda.is_available(),
    )


@torch.no_grad()
def embed_videos(model: BaseModel, loader: DataLoader, num_videos: int) -> Tensor:
    """Embed every readable video once, in evaluation mode.

    The ``video_index`` of a video's data sample is its row, so the order of a loader or of the
    ranks does not matter.

    Args:
        model: Recognizer, not wrapped for distributed training, whose ``predict`` adds
            ``embedding`` (D,) to the data samples.
        loader: An :func:`embedding_loader` with this rank's share of the videos.
        num_videos: Number N of videos of all ranks.

    Returns:
        (N, D) float32 on the model's device, the same on every rank; zero for an unreadable video.

    Raises:
        RuntimeError: If a video was not embedded, or found unreadable, exactly once.
    """
    device = next(model.parameters()).device
    matrix: Tensor | None = None
    times = torch.zeros(num_videos, device=device)
    shown: AbstractContextManager[Callable[[], None]] = nullcontext(lambda: None)
    if is_main_process():
        shown = progress_bar("embedding videos", len(loader), SLOW_INTERVAL)
    with evaluation_mode(model), shown as advance:
        for batch in loader:
            unreadable = batch.pop("unreadable", [])
            samples = model.test_step(batch) if batch else []
            indices = [sample.video_index for sample in samples]
            # Without synchronisation: the next batch is read while the device computes this one.
            seen = torch.tensor(indices + unreadable, dtype=torch.long)
            seen = seen.to(device, non_blocking=True)
            if samples:
                rows = torch.stack([sample.embedding for sample in samples]).float()
                if matrix is None:
                    matrix = torch.zeros(num_videos, rows.size(1), device=device)
                matrix[seen[: len(rows)]] = rows
            times.index_add_(0, seen, torch.ones_like(seen, dtype=times.dtype))
            advance()

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
        # This rank had no video, but it needs the embeddings of the others.
        matrix = torch.zeros(num_videos, int(width), device=device)
    if matrix.numel():  # not if every video is unreadable
        all_reduce(matrix)
    return matrix
