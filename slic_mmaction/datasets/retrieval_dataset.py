"""The dataset of a retrieval: queries and gallery."""

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
    """Dataset of the queries, followed by the gallery, for :class:`VideoRetrievalMetric`.

    Args:
        query: An MMAction2 dataset, or its config, that lists the videos to search for, usually
            the test split. Its pipeline and test mode are not used.
        gallery: The same for the videos to search in, usually the training split.
        pipeline: Transforms from file name to packed inputs, with :class:`SampleProtocolClips`
            and ``PackActionInputs(meta_keys=('protocol',))``.

    Raises:
        ValueError: If a dataset lists no video.

    Examples:
        >>> from mmaction.registry import DATASETS
        >>> gallery = dict(type="VideoDataset", ann_file="train.txt")
        >>> query = dict(gallery, ann_file="test.txt")
        >>> dataset = dict(type="RetrievalDataset", query=query, gallery=gallery, pipeline=[])
        >>> DATASETS.build(dataset).metainfo
        {'num_query': 1, 'num_gallery': 3}
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
        """The gallery's metainfo with ``num_query`` and ``num_gallery``, which metrics check."""
        return dict(self.gallery.metainfo, num_query=len(self.query), num_gallery=len(self.gallery))

    def __len__(self) -> int:
        return len(self.query) + len(self.gallery)

    def __getitem__(self, index: int) -> dict:
        """Return the packed inputs of a video.

        The data sample has ``role`` (``'query'`` or ``'gallery'``), ``sample_index`` and
        ``video``, its path.

        Raises:
            RuntimeError: If the video cannot be read. It is not replaced by another one as in
                training, because the result would be wrong.
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
                f"The pipeline failed on the {role} video {name} ({error}): repair the video, or "
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
                f"retrieve themselves, so recall is too high; the first is {min(common)}.",
                logger="current",
                level=logging.WARNING,
            )
