"""Dense optical flow between two grey frames, by OpenCV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

FlowEstimator = Callable[[np.ndarray, np.ndarray], np.ndarray]


def build_estimator(method: str) -> FlowEstimator:
    """Make an estimator of the flow from one frame to the next.

    Args:
        method (str): ``'tvl1'`` (Zach et al., DAGM 2007; the paper's, slow), ``'dis'``
            (Kroeger et al., ECCV 2016; OpenCV's medium preset) or ``'farneback'``
            (Farneback, SCIA 2003), each with OpenCV's default parameters.

    Returns:
        Callable: Takes two (H, W) uint8 frames, returns (H, W, 2) float32: the
        displacement to the right (u) and down (v) in pixels. It keeps buffers between
        calls, so each thread needs one of its own.

    Raises:
        ValueError: If the method is unknown.
        ImportError: If the installed OpenCV lacks TV-L1.
    """
    if method not in _BUILDERS:
        raise ValueError(f"Unknown flow method {method!r}: use one of {', '.join(METHODS)}.")
    return _BUILDERS[method]()


def _tvl1() -> FlowEstimator:
    contrib = getattr(cv2, "optflow", None)
    if contrib is None:
        raise ImportError(
            "TV-L1 flow is in OpenCV's contrib modules, which the installed cv2 "
            f"{cv2.__version__} lacks: `pip uninstall opencv-python opencv-python-headless` and "
            "`pip install --force-reinstall opencv-contrib-python`, or choose the method 'dis'."
        )
    return _calling(contrib.DualTVL1OpticalFlow_create())


def _dis() -> FlowEstimator:
    return _calling(cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM))


def _farneback() -> FlowEstimator:
    return _calling(cv2.FarnebackOpticalFlow.create())


def _calling(algorithm: Any) -> FlowEstimator:
    return lambda frame, following: algorithm.calc(frame, following, None)


_BUILDERS = {"tvl1": _tvl1, "dis": _dis, "farneback": _farneback}
METHODS = tuple(_BUILDERS)
