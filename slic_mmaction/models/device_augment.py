"""Augmentation after the crop, for all clips of a batch together, as tensor functions.

They follow the 8-bit operations of ``slic_mmaction.transforms.clip_augment``: values are rounded
to 0..255 after every step, so that a clip looks the same whether a worker or the device
augmented it. All functions but :func:`augment_clips` take float32 clips (M, 3, T, H, W) with
whole values 0..255 and one factor (M,) per clip, and may return unrounded values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..transforms.clip_augment import LUMA
from ..transforms.clip_draws import (
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
    Appearance,
    ClipDraws,
)


def to_gray(clips: Tensor) -> Tensor:
    """Compute the luma (ITU-R 601), rounded: (M, 1, T, H, W)."""
    red, green, blue = clips.split(1, dim=1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue).round_()


def grayscale(clips: Tensor) -> Tensor:
    """Replace the colours by luma in all three channels."""
    return to_gray(clips).expand_as(clips)


def adjust_brightness(clips: Tensor, factors: Tensor) -> Tensor:
    """Scale all values by ``factor``."""
    return clips * factors.view(-1, 1, 1, 1, 1)


def adjust_contrast(clips: Tensor, factors: Tensor) -> Tensor:
    """Blend each frame with its own mean luma: ``mean + factor * (x - mean)``."""
    means = to_gray(clips).mean(dim=(3, 4), keepdim=True).round_()
    return torch.lerp(means, clips, factors.view(-1, 1, 1, 1, 1))


def adjust_saturation(clips: Tensor, factors: Tensor) -> Tensor:
    """Blend each pixel with its luma: ``gray + factor * (x - gray)``."""
    return torch.lerp(to_gray(clips), clips, factors.view(-1, 1, 1, 1, 1))


def adjust_hue(clips: Tensor, shifts: Tensor) -> Tensor:
    """Rotate the hue by ``shift`` turns of the colour circle (-0.5..0.5).

    The colours are converted to Smith's hexagonal HSV and back without rounding to 8 bits in
    between. On random colours the result differs by half a grey level from the worker's.
    """
    red, green, blue = clips.unbind(1)
    value = clips.amax(1)
    chroma = value - clips.amin(1)
    # The hue in sixths of the circle, from the strongest channel, times the chroma.
    sixths = torch.where(
        value == red,
        green - blue,
        torch.where(value == green, blue - red + 2 * chroma, red - green + 4 * chroma),
    )
    # The worker rotates by whole steps of 1/256.
    steps = (shifts * 256).round().view(-1, 1, 1, 1)
    hue = torch.remainder(sixths / chroma.clamp(min=1) + steps * (6 / 256), 6)
    # A channel is at its value near its own colour (red at 0, green at 2, blue at 4) and lower by
    # the chroma opposite to it.
    falls = (2 - (hue - 3).abs_(), (hue - 2).abs_() - 1, (hue - 4).abs_() - 1)
    return torch.stack(
        [torch.addcmul(value, chroma, fall.clamp_(0, 1), value=-1) for fall in falls], dim=1
    )


@lru_cache(maxsize=8)
def blur_matrix(side: int, kernel_size: int, sigma: float, device: torch.device) -> Tensor:
    """Return the Gaussian blur of a row of ``side`` pixels as a (side, side) float32 matrix.

    Rows are mirrored at their ends without repeating the outermost pixel. The kernel size is
    odd, and sigma is in pixels.
    """
    taps = torch.arange(kernel_size, dtype=torch.float64) - kernel_size // 2
    weights = torch.exp(-(taps**2) / (2 * sigma**2))
    pixels = torch.arange(side)[:, None]
    # A position n outside an end is mirrored to n inside, repeatedly in rows shorter than the
    # kernel.
    period = max(2 * (side - 1), 1)
    seen = torch.remainder(pixels + taps.long(), period)
    seen = torch.minimum(seen, period - seen) if side > 1 else torch.zeros_like(seen)
    matrix = torch.zeros(side, side, dtype=torch.float64)
    matrix.scatter_add_(1, seen, (weights / weights.sum()).expand(side, -1))
    return matrix.float().to(device)


def gaussian_blur(clips: Tensor, kernel_size: int, sigma: float) -> Tensor:
    """Blur each frame with a square Gaussian kernel of odd ``kernel_size``.

    The blur is two matrix products: they need no padding, and convolutions with one channel are
    slow on some devices.
    """
    rows, columns = (
        blur_matrix(side, kernel_size, sigma, clips.device) for side in clips.shape[-2:]
    )
    return rows @ (clips @ columns.T)


ADJUST: dict[int, Callable[[Tensor, Tensor], Tensor]] = {
    BRIGHTNESS: adjust_brightness,
    CONTRAST: adjust_contrast,
    SATURATION: adjust_saturation,
    HUE: adjust_hue,
}


def augment_clips(
    clips: Tensor, draws: ClipDraws, appearance: Appearance, is_flow: np.ndarray
) -> Tensor:
    """Flip, jitter, grey and blur clips, each by its own draws.

    The colour jitter has four rounds. In each round, all clips with the same operation are
    changed together: the number of calls does not grow with the batch, and unchanged clips cost
    nothing.

    Args:
        clips: (M, 3, T, H, W) uint8, contiguous; changed in place and returned.
        draws: Drawn parameters of the M clips.
        appearance: Settings, of which the blur's kernel is used.
        is_flow: (M,) bool, whether a clip is flow, whose values a flip negates.
    """
    flipped = _numbers(draws.flip, clips)
    clips.index_copy_(0, flipped, clips.index_select(0, flipped).flip(-1))
    negated = _numbers(draws.flip & is_flow, clips)
    clips[negated] = 255 - clips[negated]
    for place in range(len(ADJUST)):
        for operation, adjust in ADJUST.items():
            turn = (draws.order[:, place] == operation) & draws.changes[:, operation]
            factors = _to_device(torch.from_numpy(draws.factors[turn, operation]).float(), clips)
            _change(clips, turn, adjust, factors)
    _change(clips, draws.gray, grayscale)
    _change(clips, draws.blur, gaussian_blur, appearance.blur_kernel, appearance.blur_sigma)
    return clips


def _to_device(small: Tensor, clips: Tensor) -> Tensor:
    # Otherwise each of about 40 copies would wait for all work queued on the device.
    return small.to(clips.device, non_blocking=True)


def _numbers(mask: np.ndarray, clips: Tensor) -> Tensor:
    return _to_device(torch.from_numpy(np.flatnonzero(mask)), clips)


def _change(
    clips: Tensor, mask: np.ndarray, operation: Callable[..., Tensor], *args: object
) -> None:
    if mask.any():
        numbers = _numbers(mask, clips)
        changed = operation(clips.index_select(0, numbers).float(), *args)
        clips.index_copy_(0, numbers, changed.round().clamp_(0, 255).to(torch.uint8))
