"""The flow of a video file, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from .estimate import build_estimator
from .store import FRAME_COUNT_TOLERANCE

# Containers without a frame count announce an estimate from duration and frame rate.
_ANNOUNCED_ERROR = 0.1


class BrokenVideoError(ValueError):
    """A video does not decode, or stops decoding long before its end."""


def sampled_flow(path: Path, method: str, short_side: int, step: int) -> Iterator[np.ndarray]:
    """Flow from every ``step``-th frame of a video to the frame after it.

    Args:
        path (Path): A file that OpenCV can open.
        method (str): See :func:`build_estimator`.
        short_side (int): Short side in pixels at which flow is estimated.
        step (int): Frames from one field to the next.

    Yields:
        np.ndarray: (H, W, 2) float32, in pixels of the scaled frame.

    Raises:
        BrokenVideoError: See :func:`video_flow`.
    """
    estimate = build_estimator(method)
    previous: np.ndarray | None = None
    for number, frame in enumerate(_gray_frames(path, short_side)):
        if previous is not None and number % step == 1 % step:
            yield estimate(previous, frame)
        previous = frame


def video_flow(path: Path, method: str, short_side: int) -> Iterator[np.ndarray]:
    """Flow from every frame of a video to the next; the last is repeated.

    So there are as many fields as frames, and a video of one frame does not move. Frames
    are scaled to ``short_side`` first (never up), and the flow is in pixels of that size.

    Args:
        path (Path): A file that OpenCV can open.
        method (str): See :func:`build_estimator`.
        short_side (int): Short side in pixels at which flow is estimated.

    Yields:
        np.ndarray: (H, W, 2) float32.

    Raises:
        BrokenVideoError: If there is no such file, no frame decodes, or less than nine
            tenths of those announced
            (and over 8 frames less); the latter once all that do decode were seen.
    """
    field: np.ndarray | None = None
    for field in sampled_flow(path, method, short_side, step=1):
        yield field
    if field is None:
        frame = next(_gray_frames(path, short_side))
        field = np.zeros((*frame.shape, 2), np.float32)
    yield field


def _gray_frames(path: Path, short_side: int) -> Iterator[np.ndarray]:
    if not path.is_file():
        raise BrokenVideoError("is missing")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise BrokenVideoError("cannot be opened as a video")
        announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        size: tuple[int, int] | None = None
        decoded = 0
        while True:
            found, frame = capture.read()
            if not found:
                break
            decoded += 1
            size = size or _scaled(frame.shape[1], frame.shape[0], short_side)
            gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            yield cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    finally:
        capture.release()
    if decoded == 0:
        raise BrokenVideoError("has no frame that decodes")
    if announced - decoded > max(FRAME_COUNT_TOLERANCE, _ANNOUNCED_ERROR * announced):
        raise BrokenVideoError(f"stops decoding after {decoded} of {announced} frames")


def _scaled(width: int, height: int, short_side: int) -> tuple[int, int]:
    factor = min(short_side / min(width, height), 1.0)
    return round(width * factor), round(height * factor)
