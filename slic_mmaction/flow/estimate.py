"""Dense optical flow by OpenCV, of two grey frames and of a whole video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..decoding import UnreadableVideoError, open_reader

FlowEstimator = Callable[[np.ndarray, np.ndarray], np.ndarray]
METHODS = ("tvl1", "dis", "farneback")
#: Number of frames by which decoders may differ in the length of a video.
FRAME_COUNT_TOLERANCE = 8


def build_estimator(method: str) -> FlowEstimator:
    """Build an estimator of the flow from one frame to the next.

    Args:
        method: ``'tvl1'`` (Zach et al., DAGM 2007; the paper's, slow), ``'dis'`` (Kroeger et
            al., ECCV 2016; OpenCV's medium preset) or ``'farneback'`` (Farneback, SCIA 2003),
            each with OpenCV's default parameters.

    Returns:
        A function of two (H, W) uint8 frames that returns (H, W, 2) float32, the displacement
        to the right (u) and down (v) in pixels. It keeps buffers between calls, so each thread
        needs its own.

    Raises:
        ValueError: If the method is unknown.
        ImportError: If the installed OpenCV lacks TV-L1.
    """
    if method not in METHODS:
        raise ValueError(f"Unknown flow method {method!r}: choose one of {', '.join(METHODS)}.")
    contrib: Any = getattr(cv2, "optflow", None)
    if method == "tvl1" and contrib is None:
        raise ImportError(
            "TV-L1 flow is in OpenCV's contrib modules, which the installed cv2 "
            f"{cv2.__version__} lacks: `pip uninstall opencv-python opencv-python-headless` and "
            "`pip install --force-reinstall opencv-contrib-python`, or choose the method 'dis'."
        )
    if method == "tvl1":
        algorithm: Any = contrib.DualTVL1OpticalFlow_create()
    elif method == "dis":
        algorithm = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    else:
        algorithm = cv2.FarnebackOpticalFlow.create()
    return lambda frame, following: algorithm.calc(frame, following, None)


def shrunk_gray(frame: np.ndarray, short_side: int) -> np.ndarray:
    """Convert an RGB frame to grey and shrink it to a short side, as flow needs it.

    Args:
        frame: (H, W, 3) uint8.
        short_side: Short side of the result in pixels. A smaller frame is not enlarged.

    Returns:
        (h, w) uint8.
    """
    height, width = frame.shape[:2]
    factor = min(short_side / min(height, width), 1.0)
    size = round(width * factor), round(height * factor)
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)


def sampled_flow(path: Path, method: str, short_side: int, step: int) -> Iterator[np.ndarray]:
    """Yield the flow from every ``step``-th frame to the next one; see :func:`video_flow`."""
    estimate = build_estimator(method)
    previous: np.ndarray | None = None
    for number, frame in enumerate(_gray_frames(path, short_side)):
        if previous is not None and number % step == 1 % step:
            yield estimate(previous, frame)
        previous = frame


def video_flow(path: Path, method: str, short_side: int) -> Iterator[np.ndarray]:
    """Yield the flow from every frame of a video to the next one; the last field is repeated.

    Args:
        path: Path of the video.
        method: See :func:`build_estimator`.
        short_side: Short side in pixels to which frames are shrunk first (never enlarged).

    Yields:
        (H, W, 2) float32 in pixels of the shrunk frames, one field for each frame.

    Raises:
        UnreadableVideoError: If no frame can be decoded or, at the end, if more than 8 frames and
            more than a tenth of the declared frames are missing.
    """
    field: np.ndarray | None = None
    for field in sampled_flow(path, method, short_side, step=1):
        yield field
    if field is None:
        frame = next(_gray_frames(path, short_side))
        field = np.zeros((*frame.shape, 2), np.float32)
    yield field


def _gray_frames(path: Path, short_side: int) -> Iterator[np.ndarray]:
    decoded = 0
    with closing(open_reader(str(path))) as reader:
        for frame in reader:
            decoded += 1
            yield shrunk_gray(frame, short_side)
    promised = reader.promised_frames
    if decoded == 0:
        raise UnreadableVideoError(f"No frame of the video {path} can be decoded.")
    # A header may promise an estimate from duration and frame rate.
    if promised - decoded > max(FRAME_COUNT_TOLERANCE, 0.1 * promised):
        raise UnreadableVideoError(
            f"The video {path} stops decoding after {decoded} of {promised} frames."
        )
