"""The whole augmentation of a clip in one transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmaction.datasets.transforms import RandomResizedCrop
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from . import color
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
from .crop_range import check_crop

ADJUST = {
    BRIGHTNESS: color.adjust_brightness,
    CONTRAST: color.adjust_contrast,
    SATURATION: color.adjust_saturation,
    HUE: color.adjust_hue,
}

FRAMES_AT_ONCE = 8
"""Frames that go through all steps together: of 2, 4, 8 and 16 the fastest. Fewer cost calls;
arrays of a whole clip are returned to the system after use and cost 690 page faults a clip."""


@TRANSFORMS.register_module()
class ClipAugment(BaseTransform):
    """Random resized crop, flip, colour jitter, greyscale and blur, each clip on its own.

    It does what ``ClipRandomResizedCrop``, ``ClipFlip``, ``ClipColorJitter``,
    ``ClipGrayscale`` and ``ClipGaussianBlur`` do one after the other, but draws all at
    once and takes a few frames through all steps before the next ones. Draws come from
    Python's and NumPy's global generators, which :class:`ClusterAwareDataset` seeds for
    each sample.

    Clips that are not RGB keep their values: no jitter, greyscale or blur. A flow clip
    holds horizontal motion as a grey level around 127.5, which a flip negates.

    Required Keys: imgs (list of (H, W, 3) uint8 frames, clip after clip), clip_len,
    modalities (optional: one of ``'rgb'``, ``'flow'``, ``'difference'`` for each clip).

    Modified Keys: imgs ((num_clips * clip_len, size, size, 3) uint8), img_shape.

    Args:
        size (int): Side of the result in pixels. Defaults to 128.
        area_range (tuple[float, float]): Share of the frame's area in the crop.
        aspect_ratio_range (tuple[float, float]): Width over height of the crop.
        **appearance: Fields of :class:`Appearance`; they default to the paper's values.
    """

    def __init__(
        self,
        size: int = 128,
        area_range: tuple[float, float] = (0.25, 1.0),
        aspect_ratio_range: tuple[float, float] = (3 / 4, 4 / 3),
        **appearance: Any,
    ) -> None:
        check_crop(self, size, area_range, aspect_ratio_range)
        self.size = size
        self.area_range = area_range
        self.aspect_ratio_range = aspect_ratio_range
        self.appearance = Appearance(**appearance)

    def transform(self, results: dict) -> dict:
        """Augment every clip with draws of its own."""
        imgs, clip_len = results["imgs"], results["clip_len"]
        begins = range(0, len(imgs), clip_len)
        modalities = np.array(results.get("modalities", [RGB] * len(begins)))
        draws = draw_clips(np.random.random((len(begins), UNIFORMS)), self.appearance)
        draws = draws.colors_only_on(modalities == RGB)
        out = np.empty((len(imgs), self.size, self.size, 3), np.uint8)
        for number, begin in enumerate(begins):
            box = RandomResizedCrop.get_crop_bbox(
                imgs[begin].shape[:2], self.area_range, self.aspect_ratio_range
            )
            is_flow = bool(modalities[number] == FLOW)
            end = begin + clip_len
            for first in range(begin, end, FRAMES_AT_ONCE):
                few = slice(first, min(first + FRAMES_AT_ONCE, end))
                frames = crop(imgs[few], box, self.size)
                out[few] = change_appearance(frames, draws, number, self.appearance, is_flow)
        results["imgs"] = out
        results["img_shape"] = out.shape[1:3]
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, area_range={self.area_range}, "
            f"aspect_ratio_range={self.aspect_ratio_range}, appearance={self.appearance})"
        )


def crop(frames: Sequence[np.ndarray], box: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Cut the same box out of all frames and resize it to a square.

    Args:
        frames (Sequence[np.ndarray]): T frames (H, W, 3) uint8.
        box (tuple[int, int, int, int]): Left, top, right and bottom in pixels, the last
            two exclusive.
        size (int): Side of the result in pixels.

    Returns:
        np.ndarray: (T, size, size, 3) uint8.
    """
    left, top, right, bottom = box
    clip = np.empty((len(frames), size, size, 3), np.uint8)
    for frame, target in zip(frames, clip):
        cv2.resize(frame[top:bottom, left:right], (size, size), dst=target)
    return clip


def change_appearance(
    clip: np.ndarray, draws: ClipDraws, number: int, appearance: Appearance, is_flow: bool
) -> np.ndarray:
    """Apply what was drawn for one clip after its crop.

    Args:
        clip (np.ndarray): (T, H, W, 3) uint8.
        draws (ClipDraws): Draws of several clips.
        number (int): Which of them is this clip's.
        appearance (Appearance): For the blur's kernel.
        is_flow (bool): Whether a flip negates the values.

    Returns:
        np.ndarray: (T, H, W, 3) uint8.
    """
    if draws.flip[number]:
        # Much faster than a view with a negative stride, which the next operation must copy.
        clip = cv2.flip(clip.reshape(-1, *clip.shape[2:]), 1).reshape(clip.shape)
        if is_flow:
            clip = 255 - clip
    for operation in draws.order[number]:
        if draws.changes[number, operation]:
            clip = ADJUST[operation](clip, float(draws.factors[number, operation]))
    if draws.gray[number]:
        # One channel is blurred in a third of the time.
        clip = color.to_gray(clip)
    if draws.blur[number]:
        clip = color.gaussian_blur(clip, appearance.blur_kernel, appearance.blur_sigma)
    return color.in_three_channels(clip) if draws.gray[number] else clip
