"""What SLIC takes from an MMAction2 dataset: its list of videos, and clips of one of them."""

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
    """Build an MMAction2 dataset that only lists videos, without a pipeline of its own.

    It may be wrapped by ``ConcatDataset``, ``RepeatDataset`` and the like. A list as ``ann_file``
    stands for the ``ConcatDataset`` of its files.

    Raises:
        FileNotFoundError: If its annotation file does not exist.
        KeyError: If its type is not registered.
        TypeError: If it is no dataset, or an option is of the wrong type.
        ValueError: If it lists no video, or a line of its annotation file is wrong.
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
            # MMEngine cannot serialise an empty list, and says so in NumPy's words.
            if getattr(part, "data_list", True):
                raise
            raise ValueError(f"The annotation file {part.ann_file} lists no video.") from error
    dataset.full_init()
    return dataset


def _only_listing(config: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset's config, and those of the datasets that it wraps, without pipelines."""
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
    # MMEngine's wrappers look for a name in MMEngine's registry, in which MMAction2's are not.
    kind = options["type"] = (DATASETS.get(kind) or kind) if isinstance(kind, str) else kind
    if inspect.isclass(kind) and issubclass(kind, BaseActionDataset):
        check_options(kind, options)
        options["pipeline"] = []
    return options


def unwrapped(videos: BaseDataset) -> list[BaseDataset]:
    """The datasets with an annotation file that wrappers of MMEngine are around."""
    if hasattr(videos, "datasets"):
        return [part for each in videos.datasets for part in unwrapped(each)]
    return unwrapped(videos.dataset) if hasattr(videos, "dataset") else [videos]


def annotation_files(videos: BaseDataset) -> str:
    """The files that list the videos, for messages."""
    return ", ".join(dict.fromkeys(getattr(part, "ann_file", "") for part in unwrapped(videos)))


class DistinctVideos:
    """The videos that a dataset lists, each once, however often it is listed.

    Parts of a file of raw frames, told apart by their offset, are different videos.

    Args:
        dataset: What :func:`build_videos` returns.

    Attributes:
        of_entry: (E,) int64, the video that each of the E entries of the list names.
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
                f"{repeated} of {len(self.of_entry)} entries of the training set list a video "
                f"again: it has {len(self)} videos, and trains on each as often as it is listed.",
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
        """What the list says of a video where it is named first."""
        return self.dataset.get_data_info(int(self._first[index]))


def video_info(videos: BaseDataset, index: int) -> dict[str, Any]:
    """What a pipeline may know of a video: everything but its true label."""
    info = videos.get_data_info(index)
    info.pop("label", None)
    return info


def video_name(videos: BaseDataset, index: int) -> str:
    """Path by which a video is known across runs."""
    return _name(videos.get_data_info(index))


def _name(info: Mapping[str, Any]) -> str:
    return str(info.get("filename", info.get("frame_dir")))


def video_stem(videos: BaseDataset, index: int) -> str:
    """The same path without the suffix of a video file, which another container changes."""
    info = videos.get_data_info(index)
    return str(info.get("frame_dir") or os.path.splitext(info["filename"])[0])


def data_folder(videos: BaseDataset) -> str:
    """Folder that the dataset was given for its videos, the common one of several, or ``''``."""
    folders = {
        next((str(folder) for folder in part.data_prefix.values() if folder), "")
        for part in unwrapped(videos)
    }
    if len(folders) == 1:
        return folders.pop()
    absolute = {os.path.isabs(folder) for folder in folders}
    return os.path.commonpath(folders) if len(absolute) == 1 else ""


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
