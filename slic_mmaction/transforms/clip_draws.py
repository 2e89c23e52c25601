"""The random parameters of a clip's flip, colours and blur, for the worker and the device.

:class:`ClipAugment` draws uniform numbers for each clip. These functions convert them into
parameters, either for :class:`ClipAugment` itself or later for :class:`SLICDataPreprocessor`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
NEUTRAL = np.array([1.0, 1.0, 1.0, 0.0])
"""Factors that do not change a clip, by operation."""

RGB, FLOW = "rgb", "flow"
"""Modalities of a clip with special rules in the augmentation."""

UNIFORMS = 12
"""Number of uniform numbers for the draws of one clip."""


@dataclass(frozen=True)
class Appearance:
    """Probabilities and strengths of the augmentation after the crop; by default the paper's.

    Args:
        flip_prob: Probability of a horizontal flip.
        brightness: Strength b of the factor, which is uniform in ``[1 - b, 1 + b]``.
        contrast: Strength of the contrast, as for the brightness.
        saturation: Strength of the saturation, as for the brightness.
        hue: Largest shift h, at most 0.5. The shift is uniform in ``[-h, h]`` turns.
        jitter_prob: Probability to change the four above, in random order.
        gray_prob: Probability of greyscale.
        blur_prob: Probability of a blur.
        blur_kernel: Odd side of the Gaussian kernel in pixels.
        blur_sigma: Standard deviation of the Gaussian kernel in pixels.

    Raises:
        ValueError: If a value is out of range.
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
        order: (M, 4) int64, the numbers of the jitter operations in the order of application.
        factors: (M, 4) float64, by the number of the operation, not by its place. An operation
            with the factor :data:`NEUTRAL` is skipped.
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
        """Whether an operation, by its number, changes a clip: (M, 4) bool."""
        return self.factors != NEUTRAL

    def colors_only_on(self, is_rgb: np.ndarray) -> ClipDraws:
        """Keep only the flip for clips that are not RGB, given (M,) bool."""
        return replace(
            self,
            factors=np.where(is_rgb[:, None], self.factors, NEUTRAL),
            gray=self.gray & is_rgb,
            blur=self.blur & is_rgb,
        )


def draw_clips(uniforms: np.ndarray, appearance: Appearance) -> ClipDraws:
    """Convert uniform numbers into the parameters of clips.

    Every clip uses the same number of draws, so that changing one probability does not change the
    other draws of a run.

    Args:
        uniforms: (M, :data:`UNIFORMS`) float64 in [0, 1).
        appearance: Probabilities and strengths.
    """
    a = appearance
    probabilities = np.array([a.flip_prob, a.jitter_prob, a.gray_prob, a.blur_prob])
    flip, jitter, gray, blur = (uniforms[:, :4] < probabilities).T
    strengths = np.array([a.brightness, a.contrast, a.saturation, a.hue])
    factors = NEUTRAL + strengths * (2 * uniforms[:, 4:8] - 1)
    # Ranks of independent uniform numbers are a uniform permutation.
    order = np.argsort(uniforms[:, 8:12], axis=1)
    return ClipDraws(flip, order, np.where(jitter[:, None], factors, NEUTRAL), gray, blur)
