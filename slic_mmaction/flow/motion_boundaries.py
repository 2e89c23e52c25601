"""Motion boundary histograms: what moves how in a video, in one vector and without learning."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

CELLS, BINS = 4, 8
#: Length of a descriptor: cells in rows and columns, components of flow, orientations.
DIMENSIONS = CELLS * CELLS * 2 * BINS


def motion_boundary_histograms(flow: Iterable[np.ndarray]) -> np.ndarray:
    """Where, and across which direction, the motion in a video changes in space.

    For either component of flow the gradient in space votes for its orientation with its
    magnitude (Dalal, Triggs, Schmid, ECCV 2006), here summed over a grid of cells and all of
    the video. A camera that pans adds the same to all pixels and so nothing to a gradient:
    in trajectory features these histograms are the part that holds up in videos from the
    web (Wang, Klaser, Schmid, Liu, IJCV 2013). The sum is scaled to 1 and the root taken
    (Arandjelovic, Zisserman, CVPR 2012), so the dot product of two videos is the Hellinger
    kernel, and neither their length nor their resolution counts.

    Args:
        flow: (H, W, 2) float32 displacements, one after the other.

    Returns:
        (DIMENSIONS,) float32 of length 1, or all zero if nothing moves.
    """
    votes = np.zeros(DIMENSIONS)
    for field in flow:
        height, width = field.shape[:2]
        rows = np.arange(height)[:, None] * CELLS // height
        cell = rows * CELLS + np.arange(width) * CELLS // width
        for component in (0, 1):
            values = np.ascontiguousarray(field[..., component])
            # Central differences; twice the gradient, like all of them.
            right = cv2.Sobel(values, cv2.CV_32F, 1, 0, ksize=1)
            down = cv2.Sobel(values, cv2.CV_32F, 0, 1, ksize=1)
            magnitude, angle = cv2.cartToPolar(right, down)
            # Rounding can make the largest angle a full turn.
            orientation = (angle * (BINS / (2 * np.pi))).astype(np.int64) % BINS
            place = (cell * 2 + component) * BINS + orientation
            votes += np.bincount(place.ravel(), magnitude.ravel(), minlength=DIMENSIONS)
    total = votes.sum()
    return np.sqrt(votes / total if total else votes).astype(np.float32)
