"""MMAction2's raw flow frames: a folder of ``flow_x_00001.jpg``, ``flow_y_00001.jpg``, ..."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Formatter

import cv2
import numpy as np

from .store import FRAME_COUNT_TOLERANCE


def check_template(template: str) -> None:
    """Require a file name with a number, and maybe the component before it.

    Args:
        template (str): ``'flow_{}_{:05}.jpg'`` as in MMAction2, or with the number alone.

    Raises:
        ValueError: If it has no field or more than two.
    """
    if _num_fields(template) not in (1, 2):
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
        folder (Path): The video's folder.
        frames (Sequence[int]): 0-based frame numbers; each is read once.
        total_frames (int): Number of frames of the video.
        template (str): See :func:`check_template`; numbers start at 1.

    Returns:
        list[np.ndarray]: (H, W) uint8 for each frame.

    Raises:
        FileNotFoundError: If an image is missing.
        OSError: If one cannot be decoded.
    """
    images: dict[int, np.ndarray] = {}
    for frame in {int(frame) for frame in frames}:
        near_end = frame >= total_frames - 1 - FRAME_COUNT_TOLERANCE
        path = _existing(folder, template, frame + 1, FRAME_COUNT_TOLERANCE if near_end else 0)
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise OSError(f"The flow image {path} cannot be decoded; extract it again.")
        images[frame] = image
    return [images[int(frame)] for frame in frames]


def _num_fields(template: str) -> int:
    return sum(field is not None for _, field, _, _ in Formatter().parse(template))


def _name(template: str, number: int) -> str:
    return template.format("x", number) if _num_fields(template) == 2 else template.format(number)


def _existing(folder: Path, template: str, number: int, steps_back: int) -> Path:
    for earlier in range(number, max(number - steps_back, 1) - 1, -1):
        path = folder / _name(template, earlier)
        if path.exists():
            return path
    raise FileNotFoundError(
        f"There is no flow image {folder / _name(template, number)}: extract MMAction2's raw "
        "flow frames, or use FlowView(source='files') with tools/data/extract_flow.py, or "
        "source='dis', which needs no files."
    )
