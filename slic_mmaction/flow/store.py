"""Stored flow: one file for each video, or MMAction2's folders of raw flow frames.

The file is a zip of JPEG images under MMAction2's names: ``v_X_g01_c01.flow.zip`` holds
``flow_x_00001.jpg``, ``flow_x_00002.jpg``, ... (and ``flow_y_*`` if asked for), one for each
frame of the video, and ``flow.json`` with the settings. Unzipped it is a folder of MMAction2's
raw flow frames. The index at the end of a zip gives every frame at once, so 16 frames are read
without those before them.
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
# Quality 95 errs by 0.1 grey levels on average and takes half the room of PNG (docs/flow.md).
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95)


@dataclass(frozen=True)
class FlowSettings:
    """How flow was made: see :func:`video_flow` and :func:`flow_levels`."""

    method: str = "tvl1"
    component: str = "x"  # all that SLIC shows; or "xy"
    bound: float = 20.0
    short_side: int = 128


def relative_name(video: str | Path, video_root: str | Path) -> str:
    """Path of a video (or of the folder of its frames) below the folder of all videos.

    Raises:
        ValueError: If the video lies elsewhere.
    """
    name = os.path.relpath(video, video_root or os.curdir)
    if Path(name).parts[0] == os.pardir:
        raise ValueError(
            f"The video {video} is not below the video root {str(video_root)!r}: "
            "set that to the folder that the dataset's data_prefix names."
        )
    return name


def stored_path(root: str | Path, name: str) -> Path:
    """Flow file of the video ``name``, a relative path without its suffix.

    So the file does not change when videos are re-encoded into another container.
    """
    return Path(root, name + SUFFIX)


def write_flow(path: Path, flow: Iterable[np.ndarray], settings: FlowSettings) -> None:
    """Write the flow of a video, (H, W, 2) pixels, frame by frame as it comes.

    The file appears whole or not at all, also if ``flow`` raises. The settings go into it, and
    decide components and bound.
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
    """Settings of a flow file; None if there is no file, or none that is whole."""
    try:
        with zipfile.ZipFile(path) as file:
            header = json.loads(file.read(HEADER))
    except (FileNotFoundError, zipfile.BadZipFile, KeyError):
        return None
    header.pop("frames")
    return FlowSettings(**header)


def read_flow(path: Path, frames: Sequence[int]) -> list[np.ndarray]:
    """Horizontal flow, (H, W) uint8 of :func:`flow_levels`, of 0-based frames of a video.

    Decoders differ by a few frames in how long a video is: frames up to
    ``FRAME_COUNT_TOLERANCE`` beyond the end get the last flow.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it is damaged.
        ValueError: If it belongs to a shorter video.
    """
    try:
        with zipfile.ZipFile(path) as file:
            length = json.loads(file.read(HEADER))["frames"]
            if max(frames) >= length + FRAME_COUNT_TOLERANCE:
                raise ValueError(
                    f"{path} has the flow of {length} frames, but frame {max(frames) + 1} is "
                    "wanted: it was made from another video; delete it and extract it again."
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
    """Require a name of raw frames: ``'flow_{}_{:05}.jpg'``, or with the number alone.

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
    """Horizontal flow of some frames, as MMAction2's tools extracted it.

    There is one flow image fewer than frames, and decoders differ by a few frames in how
    long a video is: a missing image near the end is replaced by the last one before it.

    Args:
        folder: The video's folder.
        frames: 0-based frame numbers; each is read once.
        total_frames: Number of frames of the video.
        template: See :func:`check_template`; numbers start at 1.

    Returns:
        (H, W) uint8 for each frame.

    Raises:
        FileNotFoundError: If an image is missing.
        OSError: If one cannot be decoded.
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
