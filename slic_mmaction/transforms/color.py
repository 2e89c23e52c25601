"""Colour operations on a whole clip of 8-bit RGB frames, as pure functions.

Every function takes and returns (T, H, W, 3) uint8 and rounds after each step, as
the PIL operations behind the paper's augmentation do. A clip is handed to OpenCV as
one (T * H, W, 3) image where the operation does not mix pixels, so that one call
serves all its frames.
"""

from __future__ import annotations

import cv2
import numpy as np


def _tall(clip: np.ndarray) -> np.ndarray:
    frames, height, width, channels = clip.shape
    return clip.reshape(frames * height, width, channels)


def _table(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def to_gray(clip: np.ndarray) -> np.ndarray:
    """Luma (ITU-R 601) of a clip.

    Args:
        clip (np.ndarray): (T, H, W, 3) uint8, RGB.

    Returns:
        np.ndarray: (T, H, W) uint8.
    """
    return cv2.cvtColor(_tall(clip), cv2.COLOR_RGB2GRAY).reshape(clip.shape[:3])


def grayscale(clip: np.ndarray) -> np.ndarray:
    """Replace the colours by luma, kept in three channels."""
    return np.repeat(to_gray(clip)[..., None], 3, axis=-1)


def adjust_brightness(clip: np.ndarray, factor: float) -> np.ndarray:
    """Scale all values: ``factor * x``."""
    table = _table(np.arange(256) * factor)
    return cv2.LUT(_tall(clip), table).reshape(clip.shape)


def adjust_contrast(clip: np.ndarray, factor: float) -> np.ndarray:
    """Blend each frame with its own mean luma: ``mean + factor * (x - mean)``."""
    means = np.rint(to_gray(clip).reshape(len(clip), -1).mean(axis=1))
    tables = _table(means[:, None] + factor * (np.arange(256) - means[:, None]))
    return np.stack([cv2.LUT(frame, table) for frame, table in zip(clip, tables)])


def adjust_saturation(clip: np.ndarray, factor: float) -> np.ndarray:
    """Blend each pixel with its luma: ``gray + factor * (x - gray)``."""
    gray = _tall(grayscale(clip))
    return cv2.addWeighted(_tall(clip), factor, gray, 1 - factor, 0).reshape(clip.shape)


def adjust_hue(clip: np.ndarray, shift: float) -> np.ndarray:
    """Rotate the hue by ``shift`` turns of the colour circle (-0.5..0.5)."""
    hsv = cv2.cvtColor(_tall(clip), cv2.COLOR_RGB2HSV_FULL)
    # 256 steps make a full turn, so the wrap-around of uint8 is the circle's own.
    hsv[..., 0] += np.uint8(round(shift * 256) % 256)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL).reshape(clip.shape)


def gaussian_blur(clip: np.ndarray, kernel_size: int, sigma: float) -> np.ndarray:
    """Blur each frame with a square Gaussian kernel of odd ``kernel_size``."""
    return np.stack([cv2.GaussianBlur(f, (kernel_size, kernel_size), sigma) for f in clip])
