"""One evaluation clip of every training video, for clustering."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmengine.dataset import BaseDataset, Compose, pseudo_collate
from torch.utils.data import Dataset

from ..decoding import UnreadableVideoError
from .bad_videos import BadVideos
from .clips import make_clips
from .videos import video_info


class EmbeddingDataset(Dataset):
    """The videos of a training set through an evaluation pipeline.

    It shares the list of videos with the training set, so that position i is the same
    video in both: every label lands on its own video. It shares the list of bad videos,
    too: none is replaced here, an unreadable one has no clip.

    Args:
        videos (BaseDataset): The videos that :class:`ClusterAwareDataset` wraps.
        pipeline (Sequence[dict | Callable]): Transforms from file name to packed inputs.
        bad_videos (BadVideos, optional): Those of the training set. Defaults to None: the
            first unreadable video is an error.
    """

    def __init__(
        self,
        videos: BaseDataset,
        pipeline: Sequence[dict | Callable],
        bad_videos: BadVideos | None = None,
    ) -> None:
        self.videos = videos
        self.pipeline = Compose(pipeline)
        self.bad_videos = bad_videos or BadVideos(videos, max_ratio=0)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> dict:
        """Clips of video ``index``; the data sample's metainfo has ``video_index``.

        Returns:
            dict: ``inputs`` and ``data_samples``, or only ``unreadable``, the video's index.
        """
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
    """Batch the samples of :class:`EmbeddingDataset`.

    Returns:
        dict: ``unreadable``, the indices of videos without a clip; and, if there are others,
        their ``inputs`` and ``data_samples`` as lists.
    """
    clips = [sample for sample in samples if "unreadable" not in sample]
    batch = pseudo_collate(clips) if clips else {}
    unreadable = [sample["unreadable"] for sample in samples if "unreadable" in sample]
    return dict(batch, unreadable=unreadable)
