"""What SLIC takes from an MMAction2 dataset: its list of videos, and clips of one of them."""

from __future__ import annotations

import inspect
import os
import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset

from .annotation_check import check_annotation, check_options


def build_videos(dataset: dict | BaseDataset) -> BaseDataset:
    """Build an MMAction2 dataset that only lists videos, without a pipeline of its own.

    Raises:
        FileNotFoundError: If its annotation file does not exist.
        KeyError: If its type is not registered.
        TypeError: If it is no dataset, or an option is of the wrong type.
        ValueError: If it lists no video, or a line of its annotation file is wrong.
    """
    expected = (
        "A dataset of videos was expected, such as dict(type='VideoDataset', ann_file=..., "
        f"data_prefix=dict(video=...)), but got {reprlib.repr(dataset)}."
    )
    if isinstance(dataset, dict):
        if "type" not in dataset:
            raise TypeError(expected)
        options = dict(dataset, lazy_init=True)
        kind = options["type"]
        kind = DATASETS.get(kind) if isinstance(kind, str) else kind
        if inspect.isclass(kind) and issubclass(kind, BaseActionDataset):
            check_options(kind, options)
            options["pipeline"] = []
        dataset = DATASETS.build(options)
        check_annotation(dataset)
    if not hasattr(dataset, "full_init"):
        raise TypeError(expected)
    try:
        dataset.full_init()
    except ValueError as error:
        # MMEngine cannot serialise an empty list, and says so in NumPy's words.
        if getattr(dataset, "data_list", True):
            raise
        raise ValueError(f"The annotation file {dataset.ann_file} lists no video.") from error
    return dataset


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


def relative_path(path: str, folder: str) -> str:
    """A path relative to the data set's folder, or the path itself if it lies elsewhere."""
    return path.removeprefix(folder.rstrip("/") + "/") if folder else path


def true_labels(videos: BaseDataset) -> np.ndarray | None:
    """True labels (N,) int64, for logging only.

    None if a video has no single label (-1 is MMAction2's mark of an unlabelled video).
    """
    labels = [videos.get_data_info(i).get("label", -1) for i in range(len(videos))]
    if not all(isinstance(label, (int, np.integer)) and label >= 0 for label in labels):
        return None
    return np.asarray(labels, dtype=np.int64)


def make_clips(pipeline: Callable[[dict], Any], results: dict[str, Any], views: int) -> dict:
    """Run a pipeline on one video, with a sentence where it is put together wrongly.

    Args:
        pipeline: Composed transforms.
        results: What they begin with; filled on the way.
        views: ``inputs`` must have a multiple of this many parts.

    Returns:
        Packed ``inputs`` and ``data_samples``.

    Raises:
        ValueError: If a transform misses what one before it should have made, the last one is not
            ``PackActionInputs``, or the number of clips is wrong.
    """
    try:
        sample = pipeline(results)
    except KeyError as error:
        raise ValueError(
            f"A transform of the pipeline needs the key {error}, which none before it has made: "
            "the usual order is OpenVideo, SampleViewFrames (SampleFrames where there is one clip "
            "only), DecodeFrames, augmentation, FormatShape, PackActionInputs."
        ) from error
    if not isinstance(sample, dict) or not {"inputs", "data_samples"} <= sample.keys():
        raise ValueError(
            "The pipeline must end with PackActionInputs, which packs clips for a network."
        )
    if len(sample["inputs"]) % views:
        raise ValueError(
            f"The pipeline made inputs of shape {tuple(sample['inputs'].shape)} for {views} views "
            "of a video: use SampleViewFrames, and FormatShape before PackActionInputs."
        )
    return sample
