"""What SLIC reads from an MMAction2 dataset: its list of videos."""

from __future__ import annotations

import inspect
import os
import reprlib
from typing import Any

import numpy as np
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset

from .annotation_check import check_annotation
from .stock_options import check_options


def build_videos(dataset: dict | BaseDataset) -> BaseDataset:
    """Build an MMAction2 dataset that only lists videos, without a pipeline of its own.

    Args:
        dataset (dict | BaseDataset): The dataset or its config.

    Returns:
        BaseDataset: The dataset, fully initialised.

    Raises:
        FileNotFoundError: If its annotation file does not exist.
        KeyError: If its type is not registered.
        TypeError: If it is no dataset, or an option is of the wrong type.
        ValueError: If it lists no video, or a line of its annotation file is wrong.
    """
    if isinstance(dataset, dict):
        if "type" not in dataset:
            raise TypeError(_expected(dataset))
        options = dict(dataset, lazy_init=True)
        kind = options["type"]
        kind = DATASETS.get(kind) if isinstance(kind, str) else kind
        if inspect.isclass(kind) and issubclass(kind, BaseActionDataset):
            check_options(kind, options)
            options["pipeline"] = []
        dataset = DATASETS.build(options)
        check_annotation(dataset)
    if not hasattr(dataset, "full_init"):
        raise TypeError(_expected(dataset))
    try:
        dataset.full_init()
    except ValueError as error:
        # MMEngine cannot serialise an empty list, and says so in NumPy's words.
        if getattr(dataset, "data_list", True):
            raise
        raise ValueError(f"The annotation file {dataset.ann_file} lists no video.") from error
    return dataset


def _expected(given: Any) -> str:
    return (
        "A dataset of videos was expected, such as dict(type='VideoDataset', ann_file=..., "
        f"data_prefix=dict(video=...)), but got {reprlib.repr(given)}."
    )


def video_info(videos: BaseDataset, index: int) -> dict[str, Any]:
    """What a pipeline may know of a video: everything but its true label."""
    info = videos.get_data_info(index)
    info.pop("label", None)
    return info


def video_name(videos: BaseDataset, index: int) -> str:
    """Path by which a video is known across runs."""
    info = videos.get_data_info(index)
    return str(info.get("filename", info.get("frame_dir")))


def video_stem(videos: BaseDataset, index: int) -> str:
    """The same path without the suffix of a video file, which another container changes."""
    info = videos.get_data_info(index)
    return str(info.get("frame_dir") or os.path.splitext(info["filename"])[0])


def data_folder(videos: BaseDataset) -> str:
    """Folder that the data set was given for its videos, ``''`` if none."""
    return next((str(folder) for folder in videos.data_prefix.values() if folder), "")


def true_labels(videos: BaseDataset) -> np.ndarray | None:
    """True labels, for logging only.

    Returns:
        np.ndarray | None: (N,) int64, or None if a video has no single label (-1 is
        MMAction2's mark of an unlabelled video).
    """
    labels = [videos.get_data_info(i).get("label", -1) for i in range(len(videos))]
    if not all(isinstance(label, (int, np.integer)) and label >= 0 for label in labels):
        return None
    return np.asarray(labels, dtype=np.int64)
