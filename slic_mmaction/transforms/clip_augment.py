"""The paper's augmentation of a clip on the CPU, with the same draw for all its frames.

MMAction2's own transforms draw once for all clips of a sample, but SLIC augments its views
independently. Colours are changed as by the PIL operations of the paper's augmentation: values
are rounded to 8 bits after every step. The functions take and return (T, H, W, 3) uint8 RGB. For
operations that do not mix rows, OpenCV gets a clip as one (T * H, W, 3) image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmaction.datasets.transforms import RandomResizedCrop
from mmaction.registry import TRANSFORMS

from .clip_draws import (
    BRIGHTNESS,
    CONTRAST,
    FLOW,
    HUE,
    RGB,
    SATURATION,
    UNIFORMS,
    Appearance,
    ClipDraws,
    draw_clips,
)
from .view_frames import ShownTransform

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of ITU-R 601."""

ASPECT_RATIOS = (3 / 4, 4 / 3)
"""Narrowest and widest crop, width over height."""

FRAMES_AT_ONCE = 8
"""Frames processed together: fewer need more calls, more need more memory traffic."""


@TRANSFORMS.register_module()
class ClipAugment(ShownTransform):
    """Random resized crop, flip, colour jitter, greyscale and blur, drawn for each clip.

    Draws come from Python's and NumPy's global generators, which :class:`ClusterAwareDataset`
    seeds for each sample. Clips that are not RGB are only cropped and flipped, because their
    values are not colours. A flow clip has horizontal motion as a grey level around 127.5, which
    a flip negates.

    Required Keys: imgs (list of (H, W, 3) uint8 frames, clip after clip), clip_len,
    modalities (optional: one of ``'rgb'``, ``'flow'``, ``'difference'`` for each clip).

    Modified Keys: imgs (list of (size, size, 3) uint8 frames), img_shape.

    Added Keys: clip_draws ((num_clips, 12) float64), if on_device.

    Args:
        size: Side of the result in pixels.
        area_range: Smallest and largest share of the frame's area in the crop.
        on_device: Whether to crop only. :class:`SLICDataPreprocessor` then applies the other
            draws, which ``PackActionInputs(meta_keys=('modalities', 'clip_draws'))`` keeps.
        **appearance: Fields of :class:`Appearance`; not with on_device.

    Raises:
        ValueError: If a value is out of range, or appearance is given with on_device.

    Examples:
        >>> from mmaction.registry import TRANSFORMS
        >>> augment = TRANSFORMS.build(dict(type="ClipAugment", size=112, blur_prob=0.5))
        >>> frames = list(np.zeros((32, 128, 171, 3), np.uint8))  # two clips of 16 frames
        >>> np.shape(augment(dict(imgs=frames, clip_len=16))["imgs"])
        (32, 112, 112, 3)
    """

    def __init__(
        self,
        size: int = 128,
        area_range: tuple[float, float] = (0.25, 1.0),
        on_device: bool = False,
        **appearance: Any,
    ) -> None:
        if size < 1 or not 0 < area_range[0] <= area_range[1] <= 1:
            raise ValueError(
                "ClipAugment needs a size of at least 1 and an area_range within 0..1, from low "
                f"to high, but got {size} and {tuple(area_range)}."
            )
        if on_device and appearance:
            raise ValueError(
                "With on_device=True, flip, colours and blur are set in SLICDataPreprocessor's "
                f"augment, but ClipAugment got {', '.join(appearance)}."
            )
        self.size = size
        self.area_range = area_range
        self.on_device = on_device
        self.appearance = Appearance(**appearance)

    def transform(self, results: dict) -> dict:
        """Augment every clip with its own draws."""
        imgs, clip_len = results["imgs"], results["clip_len"]
        begins = range(0, len(imgs), clip_len)
        modalities = np.array(results.get("modalities", [RGB] * len(begins)))
        uniforms = np.random.random((len(begins), UNIFORMS))
        draws = draw_clips(uniforms, self.appearance).colors_only_on(modalities == RGB)
        frames: list[np.ndarray] = []
        for number, begin in enumerate(begins):
            box = RandomResizedCrop.get_crop_bbox(
                imgs[begin].shape[:2], self.area_range, ASPECT_RATIOS
            )
            is_flow = bool(modalities[number] == FLOW)
            end = begin + clip_len
            for first in range(begin, end, FRAMES_AT_ONCE):
                few = crop(imgs[first : min(first + FRAMES_AT_ONCE, end)], box, self.size)
                if not self.on_device:
                    few = change_appearance(few, draws, number, self.appearance, is_flow)
                frames.extend(few)
        if self.on_device:
            results["clip_draws"] = uniforms
        # A list, as MMAction2's own transforms leave: its browse_dataset puts other frames into it.
        results["imgs"] = frames
        results["img_shape"] = (self.size, self.size)
        return results


def crop(frames: Sequence[np.ndarray], box: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Resize the same box (left, top, right, bottom) of all frames: (T, size, size, 3)."""
    left, top, right, bottom = box
    out = np.empty((len(frames), size, size, 3), np.uint8)
    for frame, target in zip(frames, out):
        cv2.resize(frame[top:bottom, left:right], (size, size), dst=target)
    return out


def change_appearance(
    clip: np.ndarray, draws: ClipDraws, number: int, appearance: Appearance, is_flow: bool
) -> np.ndarray:
    """Apply the draws of one clip (T, H, W, 3) uint8 after its crop.

    Args:
        clip: The clip.
        draws: Draws of several clips.
        number: Index of this clip's draws.
        appearance: Settings, of which the blur's kernel is used.
        is_flow: Whether a flip negates the values.
    """
    if draws.flip[number]:
        # Much faster than a view with a negative stride, which the next operation must copy.
        clip = cv2.flip(_tall(clip), 1).reshape(clip.shape)
        if is_flow:
            clip = 255 - clip
    for operation in draws.order[number]:
        if draws.changes[number, operation]:
            clip = ADJUST[operation](clip, float(draws.factors[number, operation]))
    if draws.gray[number]:
        # Blurring one channel takes a third of the time.
        clip = to_gray(clip)
    if draws.blur[number]:
        clip = gaussian_blur(clip, appearance.blur_kernel, appearance.blur_sigma)
    return in_three_channels(clip) if draws.gray[number] else clip


def _tall(clip: np.ndarray) -> np.ndarray:
    frames, height, width, channels = clip.shape
    return clip.reshape(frames * height, width, channels)


def to_gray(clip: np.ndarray) -> np.ndarray:
    """Compute the luma (ITU-R 601) of a clip: (T, H, W)."""
    return cv2.cvtColor(_tall(clip), cv2.COLOR_RGB2GRAY).reshape(clip.shape[:3])


def in_three_channels(gray: np.ndarray) -> np.ndarray:
    """Repeat a grey clip (T, H, W) in three channels (T, H, W, 3)."""
    tall = gray.reshape(-1, gray.shape[-1])
    return cv2.cvtColor(tall, cv2.COLOR_GRAY2RGB).reshape(*gray.shape, 3)


def adjust_brightness(clip: np.ndarray, factor: float) -> np.ndarray:
    """Scale all values by ``factor``, which is not negative."""
    return cv2.convertScaleAbs(_tall(clip), alpha=factor).reshape(clip.shape)


def adjust_contrast(clip: np.ndarray, factor: float) -> np.ndarray:
    """Blend each frame with its own mean luma: ``mean + factor * (x - mean)``."""
    out = np.empty_like(clip)
    for frame, gray, target in zip(clip, to_gray(clip), out):
        mean = round(cv2.mean(gray)[0])
        cv2.addWeighted(frame, factor, frame, 0, (1 - factor) * mean, dst=target)
    return out


def adjust_saturation(clip: np.ndarray, factor: float) -> np.ndarray:
    """Blend each pixel with its unrounded luma: ``gray + factor * (x - gray)``."""
    matrix = factor * np.eye(3) + (1 - factor) * np.array(LUMA)
    return cv2.transform(_tall(clip), matrix).reshape(clip.shape)


def adjust_hue(clip: np.ndarray, shift: float) -> np.ndarray:
    """Rotate the hue by ``shift`` turns of the colour circle (-0.5..0.5)."""
    hsv = cv2.cvtColor(_tall(clip), cv2.COLOR_RGB2HSV_FULL)
    # A full turn has 256 steps, so uint8 wraps around as the circle does. Adding whole rows, with
    # zeros for saturation and value, is faster than adding to every third byte.
    row = np.zeros(hsv.shape[1:], np.uint8)
    row[:, 0] = round(shift * 256) % 256
    hsv += row
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL).reshape(clip.shape)


ADJUST = {
    BRIGHTNESS: adjust_brightness,
    CONTRAST: adjust_contrast,
    SATURATION: adjust_saturation,
    HUE: adjust_hue,
}


def gaussian_blur(clip: np.ndarray, kernel_size: int, sigma: float) -> np.ndarray:
    """Blur each frame with a square Gaussian kernel of odd ``kernel_size``.

    Frames are mirrored at their borders without repeating the outermost pixel. A clip may also be
    grey (T, H, W).
    """
    # Faster than cv2.GaussianBlur on 8-bit frames, and more exact.
    kernel = cv2.getGaussianKernel(kernel_size, sigma)
    out = np.empty_like(clip)
    for frame, target in zip(clip, out):
        cv2.sepFilter2D(frame, -1, kernel, kernel, dst=target)
    return out
