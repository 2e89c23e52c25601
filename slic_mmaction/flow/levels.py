"""Signed values as 8-bit grey."""

from __future__ import annotations

import numpy as np

#: Short side, in pixels, of the frames in which a flow bound is measured: UCF101's own.
REFERENCE_SIDE = 240


def to_levels(values: np.ndarray, bound: float) -> np.ndarray:
    """Map ``[-bound, bound]`` to 0..255: ``round((v + bound) * 255 / (2 * bound))``.

    Values beyond the bound are clipped. Zero lies between two levels, at 127.5, and is
    stored as 128 (halves go to the even level). Negating a value is ``255 - level``, up to
    one level where the value fell on such a half.

    Args:
        values (np.ndarray): Any shape, floating point or signed integer.
        bound (float): Largest magnitude told apart, above 0.

    Returns:
        np.ndarray: uint8, same shape.
    """
    scaled = (np.asarray(values, dtype=np.float32) + bound) * (255 / (2 * bound))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def flow_levels(component: np.ndarray, bound: float = 20) -> np.ndarray:
    """One component of a flow field as a grey image that can be resized freely.

    The bound is measured in a frame with a short side of 240 pixels, and shrinks or grows
    with the frame: 20 there (as in TSN's and MMAction2's flow of such frames) is 10.7
    pixels in a frame of 128. So the same motion has the same grey level at every
    resolution, and resizing the image needs no change of its values.

    Args:
        component (np.ndarray): (H, W) displacement in pixels of this very frame.
        bound (float): Clipping displacement in pixels of a 240-pixel frame.

    Returns:
        np.ndarray: (H, W) uint8, see :func:`to_levels`.
    """
    return to_levels(component, bound * min(component.shape) / REFERENCE_SIDE)
