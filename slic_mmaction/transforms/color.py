"""Colour operations on a whole clip of 8-bit RGB frames, as pure functions.

Every function takes and returns (T, H, W, 3) uint8 and rounds after each step, as
the PIL operations behind the paper's augmentation do. A clip is handed to OpenCV as
one (T * H, W, 3) image where the operation does not mix pixels, so that one call
serves all its frames.
"""

from __future__ import annotations

import cv2
import numpy as np

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of ITU-R 601."""


def _tall(clip: np.ndarray) -> np.ndarray:
    frames, height, width, channels = clip.shape
    return clip.reshape(frames * height, width, channels)


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
    return in_three_channels(to_gray(clip))


def in_three_channels(gray: np.ndarray) -> np.ndarray:
    """Show a grey clip (T, H, W) as (T, H, W, 3)."""
    tall = gray.reshape(-1, gray.shape[-1])
    return cv2.cvtColor(tall, cv2.COLOR_GRAY2RGB).reshape(*gray.shape, 3)


def adjust_brightness(clip: np.ndarray, factor: float) -> np.ndarray:
    """Scale all values: ``factor * x``, with ``factor`` not negative."""
    return cv2.convertScaleAbs(_tall(clip), alpha=factor).reshape(clip.shape)


def adjust_contrast(clip: np.ndarray, factor: float) -> np.ndarray:
    """Blend each frame with its own mean luma: ``mean + factor * (x - mean)``."""
    out = np.empty_like(clip)
    for frame, gray, target in zip(clip, to_gray(clip), out):
        mean = round(cv2.mean(gray)[0])
        cv2.addWeighted(frame, factor, frame, 0, (1 - factor) * mean, dst=target)
    return out


def adjust_saturation(clip: np.ndarray, factor: float) -> np.ndarray:
    """Blend each pixel with its luma: ``gray + factor * (x - gray)``.

    The luma is not rounded before the blend, so that one matrix does both.
    """
    matrix = factor * np.eye(3) + (1 - factor) * np.array(LUMA)
    return cv2.transform(_tall(clip), matrix).reshape(clip.shape)


def adjust_hue(clip: np.ndarray, shift: float) -> np.ndarray:
    """Rotate the hue by ``shift`` turns of the colour circle (-0.5..0.5)."""
    hsv = cv2.cvtColor(_tall(clip), cv2.COLOR_RGB2HSV_FULL)
    # 256 steps make a full turn, so the wrap-around of uint8 is the circle's own. Adding whole
    # rows, zeros for saturation and value, is faster than adding to every third byte.
    row = np.zeros(hsv.shape[1:], np.uint8)
    row[:, 0] = round(shift * 256) % 256
    hsv += row
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL).reshape(clip.shape)


def gaussian_blur(clip: np.ndarray, kernel_size: int, sigma: float) -> np.ndarray:
    """Blur each frame with a square Gaussian kernel of odd ``kernel_size``.

    Frames are mirrored at their borders, the outermost pixel not repeated.

    Args:
        clip (np.ndarray): (T, H, W, 3) or, for grey frames, (T, H, W) uint8.
        kernel_size (int): Odd side of the kernel in pixels.
        sigma (float): Standard deviation in pixels.

    Returns:
        np.ndarray: As ``clip``.
    """
    # Faster than cv2.GaussianBlur on 8-bit frames, and nearer to the exact blur (at most half a
    # grey level from it on noise, GaussianBlur 1.3).
    kernel = cv2.getGaussianKernel(kernel_size, sigma)
    out = np.empty_like(clip)
    for frame, target in zip(clip, out):
        cv2.sepFilter2D(frame, -1, kernel, kernel, dst=target)
    return out
