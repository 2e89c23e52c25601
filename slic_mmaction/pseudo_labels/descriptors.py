"""Files of descriptors: a vector for each video, computed without the network."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from ..datasets.videos import data_folder, relative_path, video_name, video_stem
from ..durable_file import durable_file


class Descriptors(NamedTuple):
    """Content of a descriptor file.

    Attributes:
        rows: (D,) float32 by the video's path, relative to the folder of all videos and without
            its suffix; with it if several differ in it only.
        settings: Settings of the computation; empty for a file from another program.
        files: Size in bytes and modification time in nanoseconds of the video of a row.
    """

    rows: Mapping[str, np.ndarray]
    settings: Mapping[str, Any]
    files: Mapping[str, list[int]] = MappingProxyType({})


def save_descriptors(path: Path, descriptors: Descriptors) -> None:
    """Write an ``.npz`` of ``videos`` (N,) str, ``descriptors`` (N, D) float32 and the rest."""
    with durable_file(path) as file:
        np.savez(
            file,
            videos=np.array(list(descriptors.rows)),
            descriptors=np.stack(list(descriptors.rows.values())).astype(np.float32),
            settings=np.array(json.dumps(descriptors.settings)),
            files=np.array(json.dumps(dict(descriptors.files))),
        )


def read_descriptors(path: Path) -> Descriptors:
    """Read a file of :func:`save_descriptors`, or one of another program without ``settings``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged, lacks an array, or does not have exactly one finite
            vector for each video.
    """
    try:
        # NumPy does not close a file that it cannot read.
        with open(path, "rb") as opened:
            file = np.load(opened)
            videos, matrix = file["videos"], file["descriptors"]
            settings, files = (
                json.loads(str(file[name])) if name in file else {}
                for name in ("settings", "files")
            )
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"There is no descriptor file {path}: create it with tools/data/extract_motion.py."
        ) from error
    except (zipfile.BadZipFile, zlib.error, LookupError, TypeError, ValueError, EOFError) as error:
        raise ValueError(
            f"{path} is not a descriptor file: it needs the arrays 'videos' (N,) of text and "
            f"'descriptors' (N, D) of floats ({error})."
        ) from error
    if videos.ndim != 1 or matrix.ndim != 2 or len(videos) != len(matrix) or not len(videos):
        raise ValueError(
            f"{path} needs 'videos' (N,) and 'descriptors' (N, D) of at least one video, but has "
            f"{videos.shape} and {matrix.shape}."
        )
    names = [str(name) for name in videos]
    with np.errstate(over="ignore"):
        matrix = matrix.astype(np.float32, copy=False)
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{path} has values that are not finite, first for the video "
            f"{names[int(np.flatnonzero(~finite)[0])]}: delete it and create it again."
        )
    rows = dict(zip(names, matrix))
    if len(rows) < len(names):
        raise ValueError(f"{path} has a video more than once: delete it and create it again.")
    return Descriptors(rows, settings, files)


def descriptors_of(
    path: str | Path, videos: BaseDataset, max_missing: float
) -> tuple[Tensor, np.ndarray]:
    """Read the descriptors of a dataset's videos, in its order.

    Args:
        path: Path of the descriptor file.
        videos: N videos.
        max_missing: Largest share of videos without a descriptor.

    Returns:
        Descriptors (N, D) float32, zero for a video without one, and whether a video has one,
        (N,) bool.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged, or too many videos have no descriptor.
    """
    known = read_descriptors(Path(path)).rows
    folder = data_folder(videos)
    names = []
    for index in range(len(videos)):
        whole = relative_path(video_name(videos, index), folder)
        names.append(whole if whole in known else relative_path(video_stem(videos, index), folder))
    has = np.array([name in known for name in names])
    if (~has).sum() > max_missing * len(names):
        first = names[int(np.flatnonzero(~has)[0])]
        raise ValueError(
            f"{path} has no descriptor of {(~has).sum()} of {len(names)} training videos, more "
            f"than max_bad_ratio={max_missing} allows (first: {first}; a name in the file: "
            f"{next(iter(known))}). Names are paths relative to data_prefix without the suffix; "
            "add missing videos with tools/data/extract_motion.py."
        )
    empty = np.zeros_like(next(iter(known.values())))
    return torch.from_numpy(np.stack([known.get(name, empty) for name in names])), has
