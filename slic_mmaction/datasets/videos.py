"""The list of videos of an MMAction2 dataset, and the clips of one video."""

from __future__ import annotations

import inspect
import logging
import os
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from .annotation_check import check_annotation, check_options

_EXPECTED = (
    "A dataset of videos was expected, such as dict(type='VideoDataset', ann_file=..., "
    "data_prefix=dict(video=...)), but got "
)


def build_videos(dataset: dict | BaseDataset) -> BaseDataset:
    """Build an MMAction2 dataset that only lists videos, without a pipeline.

    It may be wrapped by ``ConcatDataset``, ``RepeatDataset`` and similar classes. A list of
    files as ``ann_file`` builds a ``ConcatDataset``.

    Raises:
        FileNotFoundError: If the annotation file does not exist.
        KeyError: If the type is not registered.
        TypeError: If it is not a dataset, or an option has the wrong type.
        ValueError: If it lists no video, or a line of the annotation file is wrong.
    """
    if isinstance(dataset, dict):
        dataset = DATASETS.build(_only_listing(dataset))
        for part in unwrapped(dataset):
            check_annotation(part)
    if not hasattr(dataset, "full_init"):
        raise TypeError(f"{_EXPECTED}{reprlib.repr(dataset)}.")
    for part in unwrapped(dataset):
        try:
            part.full_init()
        except ValueError as error:
            # MMEngine fails on an empty list with an error of NumPy.
            if getattr(part, "data_list", True):
                raise
            raise ValueError(f"The annotation file {part.ann_file} lists no video.") from error
    dataset.full_init()
    return dataset


def _only_listing(config: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the pipelines from a dataset's config and those of the datasets that it wraps."""
    if "type" not in config:
        raise TypeError(f"{_EXPECTED}{reprlib.repr(config)}.")
    options = dict(config, lazy_init=True)
    if isinstance(options.get("ann_file"), (list, tuple)):
        parts = [dict(config, ann_file=file) for file in options["ann_file"]]
        return _only_listing(dict(type="ConcatDataset", datasets=parts))
    if "datasets" in options:
        options["datasets"] = [
            _only_listing(part) if isinstance(part, dict) else part for part in options["datasets"]
        ]
    if isinstance(options.get("dataset"), dict):
        options["dataset"] = _only_listing(options["dataset"])
    kind = options["type"]
    # MMEngine's wrappers search names in MMEngine's registry, which lacks MMAction2's.
    kind = options["type"] = (DATASETS.get(kind) or kind) if isinstance(kind, str) else kind
    if inspect.isclass(kind) and issubclass(kind, BaseActionDataset):
        check_options(kind, options)
        options["pipeline"] = []
    return options


def unwrapped(videos: BaseDataset) -> list[BaseDataset]:
    """Return the datasets inside MMEngine's wrappers, which have the annotation files."""
    if hasattr(videos, "datasets"):
        return [part for each in videos.datasets for part in unwrapped(each)]
    return unwrapped(videos.dataset) if hasattr(videos, "dataset") else [videos]


def annotation_files(videos: BaseDataset) -> str:
    """Return the names of the annotation files, for messages."""
    return ", ".join(dict.fromkeys(getattr(part, "ann_file", "") for part in unwrapped(videos)))


class DistinctVideos:
    """The distinct videos of a dataset, which may list a video more than once.

    Parts of a folder of raw frames with different offsets are different videos.

    Args:
        dataset: A dataset from :func:`build_videos`.

    Attributes:
        of_entry: (E,) int64, the video of each of the E entries of the list.
    """

    def __init__(self, dataset: BaseDataset) -> None:
        self.dataset = dataset
        numbers: dict[tuple, int] = {}
        infos = map(dataset.get_data_info, range(len(dataset)))
        keys = ((os.path.abspath(_name(info)), info.get("offset")) for info in infos)
        self.of_entry = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=int)
        self._first = np.unique(self.of_entry, return_index=True)[1]
        repeated = len(self.of_entry) - len(self)
        if repeated:
            print_log(
                f"{repeated} of {len(self.of_entry)} entries of the training set repeat a video: "
                f"it has {len(self)} videos, and each is used as often as it is listed.",
                logger="current",
                level=logging.WARNING,
            )

    @property
    def metainfo(self) -> dict:
        """Meta information of the dataset."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self._first)

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Return the first entry of a video in the list."""
        return self.dataset.get_data_info(int(self._first[index]))


def video_info(videos: BaseDataset, index: int) -> dict[str, Any]:
    """Return a video's entry without its true label, for a pipeline."""
    info = videos.get_data_info(index)
    info.pop("label", None)
    return info


def video_name(videos: BaseDataset, index: int) -> str:
    """Return the path that identifies a video across runs."""
    return _name(videos.get_data_info(index))


def _name(info: Mapping[str, Any]) -> str:
    return str(info.get("filename", info.get("frame_dir")))


def video_stem(videos: BaseDataset, index: int) -> str:
    """Return that path without the suffix of a video file, which depends on the container."""
    info = videos.get_data_info(index)
    return str(info.get("frame_dir") or os.path.splitext(info["filename"])[0])


def data_folder(videos: BaseDataset) -> str:
    """Return the folder of the dataset's videos, the common one of several, or ``''``."""
    folders = {
        next((str(folder) for folder in part.data_prefix.values() if folder), "")
        for part in unwrapped(videos)
    }
    if len(folders) == 1:
        return folders.pop()
    absolute = {os.path.isabs(folder) for folder in folders}
    return os.path.commonpath(folders) if len(absolute) == 1 else ""


def relative_path(path: str, folder: str) -> str:
    """Return a path relative to the dataset's folder, or the path itself if it is elsewhere."""
    return path.removeprefix(folder.rstrip("/") + "/") if folder else path


def true_labels(videos: BaseDataset) -> np.ndarray | None:
    """Return the true labels (N,) int64, for logging only.

    Returns None if a video has no label or several (-1 is MMAction2's label for none).
    """
    labels = [videos.get_data_info(i).get("label", -1) for i in range(len(videos))]
    if not all(isinstance(label, (int, np.integer)) and label >= 0 for label in labels):
        return None
    return np.asarray(labels, dtype=np.int64)


def make_clips(pipeline: Callable[[dict], Any], results: dict[str, Any], views: int) -> dict:
    """Run a pipeline on one video, with clear errors for a wrong pipeline.

    Args:
        pipeline: Composed transforms.
        results: Input of the first transform; changed in place.
        views: Number of views, which must divide the length of ``inputs``.

    Returns:
        Packed ``inputs`` and ``data_samples``.

    Raises:
        ValueError: If a transform lacks a key that an earlier one should have added, the last one
            is not ``PackActionInputs``, or the number of clips is wrong.
    """
    try:
        sample = pipeline(results)
    except KeyError as error:
        raise ValueError(
            f"A transform of the pipeline needs the key {error}, which no earlier one has added: "
            "the usual order is OpenVideo, SampleViewFrames (SampleFrames for a single clip), "
            "DecodeFrames, augmentation, FormatShape, PackActionInputs."
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
