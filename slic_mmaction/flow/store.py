"""The flow of a video in one file: a zip of JPEG images under MMAction2's names.

``v_X_g01_c01.flow.zip`` holds ``flow_x_00001.jpg``, ``flow_x_00002.jpg``, ... (and
``flow_y_*`` if asked for), one for each frame of the video, and ``flow.json`` with the
settings. Unzipped it is a folder of MMAction2's raw flow frames. The index at the end of a
zip gives every frame at once, so 16 frames are read without those before them.
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

from .levels import flow_levels

SUFFIX = ".flow.zip"
HEADER = "flow.json"
#: By how many frames decoders may differ in the length of a video.
FRAME_COUNT_TOLERANCE = 8
# Quality 95 errs by 0.1 grey levels on average and takes half the room of PNG (docs/flow.md).
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95)


@dataclass(frozen=True)
class FlowSettings:
    """How flow was made.

    Args:
        method (str): See :func:`build_estimator`.
        component (str): ``'x'``, which is all that SLIC shows, or ``'xy'``.
        bound (float): See :func:`flow_levels`.
        short_side (int): Short side in pixels of the frames that flow was estimated on.
    """

    method: str = "tvl1"
    component: str = "x"
    bound: float = 20.0
    short_side: int = 128


def relative_name(video: str | Path, video_root: str | Path) -> str:
    """Name of a video below the folder of all videos.

    Args:
        video (str | Path): Path of the video, or of the folder of its frames.
        video_root (str | Path): Folder of all videos; ``''`` is the current one.

    Returns:
        str: Relative path.

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


def write_flow(path: Path, flow: Iterable[np.ndarray], settings: FlowSettings) -> int:
    """Write the flow of a video, frame by frame as it comes.

    The file appears whole or not at all, also if ``flow`` raises.

    Args:
        path (Path): Where to; folders are made.
        flow (Iterable[np.ndarray]): (H, W, 2) displacements in pixels.
        settings (FlowSettings): Goes into the file; decides components and bound.

    Returns:
        int: Number of frames.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The same name in every run, so that what a killed one left is overwritten.
    temporary = path.with_name(f".{path.name}.part")
    frames = 0
    try:
        with zipfile.ZipFile(temporary, "w") as file:
            for frames, field in enumerate(flow, start=1):
                for axis, name in enumerate(settings.component):
                    image = flow_levels(field[..., axis], settings.bound)
                    _, jpeg = cv2.imencode(".jpg", image, _JPEG)
                    file.writestr(_entry(name, frames), jpeg.tobytes())
            header = {**asdict(settings), "frames": frames}
            file.writestr(HEADER, json.dumps(header))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return frames


def read_settings(path: Path) -> FlowSettings | None:
    """Settings of a flow file.

    Args:
        path (Path): The file.

    Returns:
        FlowSettings | None: None if there is no file, or none that is whole.
    """
    try:
        with zipfile.ZipFile(path) as file:
            header = _header(file)
    except (FileNotFoundError, zipfile.BadZipFile, KeyError):
        return None
    header.pop("frames")
    return FlowSettings(**header)


def read_flow(path: Path, frames: Sequence[int]) -> list[np.ndarray]:
    """Horizontal flow of some frames of a video.

    Decoders differ by a few frames in how long a video is: frames up to
    :data:`FRAME_COUNT_TOLERANCE` beyond the end get the last flow.

    Args:
        path (Path): A file of :func:`write_flow`.
        frames (Sequence[int]): 0-based frame numbers; each is decoded once.

    Returns:
        list[np.ndarray]: (H, W) uint8 for each frame, see :func:`flow_levels`.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it is damaged.
        ValueError: If it belongs to a shorter video.
    """
    try:
        with zipfile.ZipFile(path) as file:
            length = _header(file)["frames"]
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


def _header(file: zipfile.ZipFile) -> dict:
    return json.loads(file.read(HEADER))


def _decode(jpeg: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise zipfile.BadZipFile("an image in it does not decode")
    return image
