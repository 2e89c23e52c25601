"""Frame difference: a second view that costs nothing to prepare."""

from __future__ import annotations

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS

from ..flow import forward_images, to_levels
from .flow_second_view import SecondModality


def signed_difference(frame: np.ndarray, following: np.ndarray) -> np.ndarray:
    """How the luma changes to the next frame, as grey: ``round((d + 255) / 2)``.

    No change is 128, see :func:`slic_mmaction.flow.to_levels`.

    Args:
        frame (np.ndarray): (H, W, 3) uint8, RGB.
        following (np.ndarray): Likewise.

    Returns:
        np.ndarray: (H, W) uint8.
    """
    before, after = (cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in (frame, following))
    return to_levels(cv2.subtract(after, before, dtype=cv2.CV_16S), 255)


@TRANSFORMS.register_module()
class FrameDifference(SecondModality):
    """Show some views as the signed difference of consecutive grey frames.

    The cheap stand-in for :class:`FlowView`: what moves shows, but not whereto, and a
    flip does not negate it. Frames that nothing follows repeat the last difference.

    Args:
        prob (float): Probability for each clip. Defaults to 0.25.
        views (Sequence[str]): Which clips, see :class:`SecondModality`.
    """

    modality = "difference"

    def images(self, results: dict, clip: slice) -> list[np.ndarray]:
        """Differences within the clip."""
        return forward_images(results["imgs"][clip], results["frame_inds"][clip], signed_difference)
