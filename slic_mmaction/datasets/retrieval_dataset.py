"""The videos of a retrieval: queries and gallery."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence

from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log
from torch.utils.data import Dataset

from .bad_videos import lost_frames
from .videos import build_videos, make_clips, video_name


@DATASETS.register_module()
class RetrievalDataset(Dataset):
    """Queries, then gallery, through one pipeline, for :class:`VideoRetrievalMetric`.

    Args:
        query: An MMAction2 dataset that lists the videos to search for, usually the test split;
            its pipeline and test mode play no part.
        gallery: One that lists the videos to search in, usually the training split.
        pipeline: Transforms from file name to packed inputs, with :class:`SampleProtocolClips`
            and, in ``PackActionInputs``, ``meta_keys=('protocol',)``.

    Raises:
        ValueError: If either lists no video.
    """

    def __init__(
        self,
        query: dict | BaseDataset,
        gallery: dict | BaseDataset,
        pipeline: Sequence[dict | Callable],
    ) -> None:
        self.query = build_videos(query)
        self.gallery = build_videos(gallery)
        self.pipeline = Compose(pipeline)
        self._warn_of_overlap()

    @property
    def metainfo(self) -> dict:
        """The gallery's, and ``num_query`` and ``num_gallery``, for the metric to check."""
        return dict(self.gallery.metainfo, num_query=len(self.query), num_gallery=len(self.gallery))

    def __len__(self) -> int:
        return len(self.query) + len(self.gallery)

    def __getitem__(self, index: int) -> dict:
        """Packed inputs of a video.

        The data sample tells ``role`` (``'query'``, ``'gallery'``), ``sample_index`` and ``video``.

        Raises:
            RuntimeError: If the video cannot be read. It is not replaced by another, as in
                training: the result would be wrong.
        """
        role, videos, position = "query", self.query, index
        if index >= len(self.query):
            role, videos, position = "gallery", self.gallery, index - len(self.query)
        name = video_name(videos, position)
        results = videos.get_data_info(position)
        try:
            sample = make_clips(self.pipeline, results, views=1)
        except Exception as error:
            raise RuntimeError(
                f"The pipeline failed on the {role} video {name} ({error}); repair the video, or "
                "remove it from the annotation file."
            ) from error
        lost = lost_frames(name, results)
        if lost:
            print_log(lost, logger="current", level=logging.WARNING)
        sample["data_samples"].set_metainfo(dict(role=role, sample_index=index, video=name))
        return sample

    def _warn_of_overlap(self) -> None:
        names = [
            {os.path.abspath(video_name(videos, i)) for i in range(len(videos))}
            for videos in (self.query, self.gallery)
        ]
        common = names[0] & names[1]
        if common:
            print_log(
                f"{len(common)} of {len(self.query)} query videos are also in the gallery and "
                f"find themselves, so recall is too high; the first is {min(common)}.",
                logger="current",
                level=logging.WARNING,
            )
