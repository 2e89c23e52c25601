"""What is drawn for a clip's flip, colours and blur: once, for the worker and the device alike.

:class:`ClipAugment` draws uniform numbers for each clip. Either it turns them into parameters
here and applies them, or it hands the numbers to :class:`SLICDataPreprocessor`, which does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
NEUTRAL = np.array([1.0, 1.0, 1.0, 0.0])
"""Factors that leave a clip as it is, by operation."""

RGB, FLOW = "rgb", "flow"
"""Modalities of a clip that the augmentation treats in its own way."""

UNIFORMS = 12
"""Uniform numbers that the draws of one clip are made from."""


@dataclass(frozen=True)
class Appearance:
    """Probabilities and strengths of all changes after the crop; the paper's by default.

    Args:
        flip_prob: Probability to mirror the clip left to right.
        brightness: Factor uniform in ``[1 - b, 1 + b]``.
        contrast: Likewise.
        saturation: Likewise.
        hue: Shift uniform in ``[-hue, hue]`` turns, at most 0.5.
        jitter_prob: Probability to change the four above, in random order.
        gray_prob: Probability to drop the colours.
        blur_prob: Probability to blur.
        blur_kernel: Odd side of the Gaussian kernel in pixels.
        blur_sigma: Its standard deviation in pixels.

    Raises:
        ValueError: If a value is out of its range.
    """

    flip_prob: float = 0.5
    brightness: float = 0.5
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.5
    jitter_prob: float = 0.8
    gray_prob: float = 0.2
    blur_prob: float = 0.2
    blur_kernel: int = 15
    blur_sigma: float = 2.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            high = 0.5 if name == "hue" else 1
            if name not in ("blur_kernel", "blur_sigma") and not 0 <= value <= high:
                raise ValueError(f"Augmentation needs {name} in 0..{high}, but got {value}.")
        if self.blur_kernel < 1 or self.blur_kernel % 2 != 1:
            raise ValueError(f"Augmentation needs an odd blur_kernel, but got {self.blur_kernel}.")
        if not self.blur_sigma > 0:
            raise ValueError(f"Augmentation needs blur_sigma above 0, but got {self.blur_sigma}.")


@dataclass(frozen=True)
class ClipDraws:
    """Drawn parameters of M clips.

    Args:
        flip: (M,) bool.
        order: (M, 4) int64, the numbers of the jitter operations in the order in which the clip
            undergoes them.
        factors: (M, 4) float64, by number of the operation, not by place. An operation whose
            factor is :data:`NEUTRAL` is left out.
        gray: (M,) bool.
        blur: (M,) bool.
    """

    flip: np.ndarray
    order: np.ndarray
    factors: np.ndarray
    gray: np.ndarray
    blur: np.ndarray

    @property
    def changes(self) -> np.ndarray:
        """(M, 4) bool: whether a clip undergoes an operation, by its number."""
        return self.factors != NEUTRAL

    def colors_only_on(self, is_rgb: np.ndarray) -> ClipDraws:
        """Leave out all but the flip for clips whose values are not colours, given (M,) bool."""
        return replace(
            self,
            factors=np.where(is_rgb[:, None], self.factors, NEUTRAL),
            gray=self.gray & is_rgb,
            blur=self.blur & is_rgb,
        )


def draw_clips(uniforms: np.ndarray, appearance: Appearance) -> ClipDraws:
    """Turn uniform numbers into the parameters of clips.

    Every clip uses all its numbers whatever they decide, so that one probability can be
    changed without changing the other draws of a run.

    Args:
        uniforms: (M, :data:`UNIFORMS`) float64 in [0, 1).
        appearance: The distribution.
    """
    a = appearance
    probabilities = np.array([a.flip_prob, a.jitter_prob, a.gray_prob, a.blur_prob])
    flip, jitter, gray, blur = (uniforms[:, :4] < probabilities).T
    strengths = np.array([a.brightness, a.contrast, a.saturation, a.hue])
    factors = NEUTRAL + strengths * (2 * uniforms[:, 4:8] - 1)
    # Ranks of independent uniform numbers are a uniform permutation.
    order = np.argsort(uniforms[:, 8:12], axis=1)
    return ClipDraws(flip, order, np.where(jitter[:, None], factors, NEUTRAL), gray, blur)
