"""Stored flow: a file for each video, or MMAction2's folders of raw flow frames.

The file is a zip of JPEG images with MMAction2's names: ``v_X_g01_c01.flow.zip`` contains
``flow_x_00001.jpg``, ``flow_x_00002.jpg``, ... (and ``flow_y_*`` with ``component='xy'``), one for
each frame of the video, and ``flow.json`` with the settings. Unzipped, it is a folder of
MMAction2's raw flow frames. Each frame can be read without those before it.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from ..durable_file import durable_file
from .estimate import FRAME_COUNT_TOLERANCE
from .images import flow_levels

SUFFIX = ".flow.zip"
HEADER = "flow.json"
# Quality 95 has an error of 0.1 grey levels on average and half the size of PNG (docs/flow.md).
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95)


@dataclass(frozen=True)
class FlowSettings:
    """Settings of a flow file, see :func:`video_flow` and :func:`flow_levels`.

    Args:
        method: Estimator, see :func:`build_estimator`.
        component: ``'x'``, the component that SLIC uses, or ``'xy'``.
        bound: Largest displacement in pixels.
        short_side: Short side of the frames in pixels.
    """

    method: str = "tvl1"
    component: str = "x"
    bound: float = 20.0
    short_side: int = 128


def relative_name(video: str | Path, video_root: str | Path) -> str:
    """Return the path of a video, or of its folder of frames, relative to the video root.

    Raises:
        ValueError: If the video is outside the video root.
    """
    name = os.path.relpath(video, video_root or os.curdir)
    if Path(name).parts[0] == os.pardir:
        raise ValueError(
            f"The video {video} is not below the video root {str(video_root)!r}: "
            "set it to the folder of the dataset's data_prefix."
        )
    return name


def stored_path(root: str | Path, name: str) -> Path:
    """Return the path of the flow file of the video ``name``, a relative path without suffix.

    Without the suffix, the file stays the same when videos are converted to another container.
    """
    return Path(root, name + SUFFIX)


def write_flow(path: Path, flow: Iterable[np.ndarray], settings: FlowSettings) -> None:
    """Write the flow of a video to a file, frame by frame.

    The file is complete or does not exist, even if ``flow`` raises.

    Args:
        path: Path of the file.
        flow: (H, W, 2) float32 fields in pixels.
        settings: Settings, which are stored in the file. They select components and bound.
    """
    with durable_file(path) as raw, zipfile.ZipFile(raw, "w") as file:
        frames = 0
        for frames, field in enumerate(flow, start=1):
            for axis, name in enumerate(settings.component):
                image = flow_levels(field[..., axis], settings.bound)
                _, jpeg = cv2.imencode(".jpg", image, _JPEG)
                file.writestr(_entry(name, frames), jpeg.tobytes())
        file.writestr(HEADER, json.dumps({**asdict(settings), "frames": frames}))


def read_settings(path: Path) -> FlowSettings | None:
    """Read the settings of a flow file; None if it does not exist or is damaged."""
    try:
        with zipfile.ZipFile(path) as file:
            header = json.loads(file.read(HEADER))
    except (FileNotFoundError, zipfile.BadZipFile, KeyError):
        return None
    header.pop("frames")
    return FlowSettings(**header)


def read_flow(path: Path, frames: Sequence[int]) -> list[np.ndarray]:
    """Read the horizontal flow of some frames of a video.

    Decoders differ by a few frames in the length of a video, so frames up to
    ``FRAME_COUNT_TOLERANCE`` beyond the end get the last flow.

    Args:
        path: Path of the flow file.
        frames: 0-based frame numbers.

    Returns:
        (H, W) uint8 for each frame, see :func:`flow_levels`.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If the file is damaged.
        ValueError: If the file belongs to a shorter video.
    """
    try:
        with zipfile.ZipFile(path) as file:
            length = json.loads(file.read(HEADER))["frames"]
            if max(frames) >= length + FRAME_COUNT_TOLERANCE:
                raise ValueError(
                    f"{path} has the flow of {length} frames, but frame {max(frames) + 1} was "
                    "requested: it belongs to another video; delete it and extract it again."
                )
            kept = [min(int(frame), length - 1) for frame in frames]
            images = {k: _decode(file.read(_entry("x", k + 1))) for k in set(kept)}
    except (zipfile.BadZipFile, KeyError, cv2.error) as error:
        raise OSError(f"{path} is damaged ({error}); delete it and extract it again.") from error
    return [images[k] for k in kept]


def _entry(component: str, number: int) -> str:
    return f"flow_{component}_{number:05}.jpg"


def _decode(jpeg: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise zipfile.BadZipFile("an image in it does not decode")
    return image


def check_template(template: str) -> None:
    """Check the template of raw frames' names: ``'flow_{}_{:05}.jpg'``, or with the number alone.

    Raises:
        ValueError: If the template has no field or more than two.
    """
    if template.count("{") not in (1, 2):
        raise ValueError(
            f"filename_tmpl {template!r} needs a field for the frame's number, and may have one "
            "for the component before it, as in 'flow_{}_{:05}.jpg'."
        )


def read_rawframes(
    folder: Path, frames: Sequence[int], total_frames: int, template: str = "flow_{}_{:05}.jpg"
) -> list[np.ndarray]:
    """Read the horizontal flow of some frames from images of MMAction2's tools.

    There is one flow image fewer than frames, and decoders differ by a few frames in the length
    of a video. A missing image near the end is therefore replaced by the last one before it.

    Args:
        folder: Folder of the video's flow images.
        frames: 0-based frame numbers. Each image is read once.
        total_frames: Number of frames of the video.
        template: See :func:`check_template`. Numbers in names start at 1.

    Returns:
        (H, W) uint8 for each frame.

    Raises:
        FileNotFoundError: If an image is missing.
        OSError: If an image cannot be decoded.
    """
    axis = ["x"] * (template.count("{") - 1)
    images: dict[int, np.ndarray] = {}
    for frame in {int(frame) for frame in frames}:
        near_end = frame >= total_frames - 1 - FRAME_COUNT_TOLERANCE
        earliest = max(frame - FRAME_COUNT_TOLERANCE, 0) if near_end else frame
        paths = [folder / template.format(*axis, i + 1) for i in range(frame, earliest - 1, -1)]
        path = next((path for path in paths if path.exists()), None)
        if path is None:
            raise FileNotFoundError(
                f"There is no flow image {paths[0]}: extract MMAction2's raw flow frames, or use "
                "FlowView(source='files') with tools/data/extract_flow.py, or source='dis', which "
                "needs no files."
            )
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise OSError(f"The flow image {path} cannot be decoded; extract it again.")
        images[frame] = image
    return [images[int(frame)] for frame in frames]
