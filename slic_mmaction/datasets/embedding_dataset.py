"""One evaluation clip of every training video, for clustering."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmengine.dataset import BaseDataset, Compose
from torch.utils.data import Dataset

from .videos import video_info


class EmbeddingDataset(Dataset):
    """The videos of a training set through an evaluation pipeline.

    It shares the list of videos with the training set, so that position i is the same
    video in both: every label lands on its own video.

    Args:
        videos (BaseDataset): The videos that :class:`ClusterAwareDataset` wraps.
        pipeline (Sequence[dict | Callable]): Transforms from file name to packed inputs.
    """

    def __init__(self, videos: BaseDataset, pipeline: Sequence[dict | Callable]) -> None:
        self.videos = videos
        self.pipeline = Compose(pipeline)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> dict:
        """Clips of video ``index``; the data sample's metainfo has ``video_index``."""
        sample = self.pipeline(video_info(self.videos, index))
        sample["data_samples"].set_metainfo(dict(video_index=index))
        return sample
