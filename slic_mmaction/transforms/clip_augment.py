"""Random augmentations with one draw for all frames of a clip.

MMAction2's own transforms draw once for all clips of a sample; SLIC needs the views
of a sample augmented independently (METHOD "Training sample"). Clips of flow or frame
difference get the crop and the flip only: their values are not colours. All draws come
from Python's and NumPy's global generators, which :class:`ClusterAwareDataset` seeds for
each sample, so they compose with any stock transform.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
from mmaction.datasets.transforms import RandomResizedCrop
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from . import color
from .clip_draws import FLOW, RGB
from .crop_range import check_crop


class PerClipTransform(BaseTransform):
    """Applies :meth:`augment` to each clip of ``results['imgs']`` on its own.

    Required Keys: imgs (list of (H, W, 3) uint8 frames, clip after clip), clip_len,
    modalities (optional: one of ``'rgb'``, ``'flow'``, ``'difference'`` for each clip).

    Modified Keys: imgs, img_shape.

    Args:
        prob (float): Probability to augment a clip, drawn for each clip.
    """

    rgb_only: ClassVar[bool] = False
    """Whether clips that are not RGB stay as they are; they take their draw all the same."""

    def __init__(self, prob: float = 1.0) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f"{type(self).__name__} needs prob in 0..1, but got {prob}.")
        self.prob = prob

    @abstractmethod
    def augment(self, clip: Sequence[np.ndarray], modality: str = RGB) -> np.ndarray:
        """Augment one clip: (T, H, W, 3) uint8 in and out."""

    def transform(self, results: dict) -> dict:
        """Augment every clip with draws of its own."""
        imgs, clip_len = results["imgs"], results["clip_len"]
        begins = range(0, len(imgs), clip_len)
        modalities = results.get("modalities", [RGB] * len(begins))
        out: list[np.ndarray] = []
        for begin, modality in zip(begins, modalities):
            clip = imgs[begin : begin + clip_len]
            drawn = np.random.random() < self.prob
            applies = drawn and (modality == RGB or not self.rgb_only)
            out.extend(self.augment(clip, modality) if applies else clip)
        results["imgs"] = out
        results["img_shape"] = out[0].shape[:2]
        return results

    def __repr__(self) -> str:
        fields = ", ".join(f"{key}={value}" for key, value in vars(self).items())
        return f"{type(self).__name__}({fields})"


@TRANSFORMS.register_module()
class ClipRandomResizedCrop(PerClipTransform):
    """Crop a random part of the frame and resize it to a square.

    Args:
        size (int): Side of the result in pixels. Defaults to 128.
        area_range (tuple[float, float]): Share of the frame's area.
        aspect_ratio_range (tuple[float, float]): Width over height.
    """

    def __init__(
        self,
        size: int = 128,
        area_range: tuple[float, float] = (0.25, 1.0),
        aspect_ratio_range: tuple[float, float] = (3 / 4, 4 / 3),
    ) -> None:
        super().__init__()
        check_crop(self, size, area_range, aspect_ratio_range)
        self.size = size
        self.area_range = area_range
        self.aspect_ratio_range = aspect_ratio_range

    def augment(self, clip: Sequence[np.ndarray], modality: str = RGB) -> np.ndarray:
        """Crop and resize, the same box for all frames."""
        left, top, right, bottom = RandomResizedCrop.get_crop_bbox(
            clip[0].shape[:2], self.area_range, self.aspect_ratio_range
        )
        size = (self.size, self.size)
        return np.stack([cv2.resize(f[top:bottom, left:right], size) for f in clip])


@TRANSFORMS.register_module()
class ClipFlip(PerClipTransform):
    """Mirror the clip left to right; what moved right in a flow clip then moves left.

    Args:
        prob (float): Probability. Defaults to 0.5.
    """

    def __init__(self, prob: float = 0.5) -> None:
        super().__init__(prob)

    def augment(self, clip: Sequence[np.ndarray], modality: str = RGB) -> np.ndarray:
        """Mirror all frames, and negate horizontal flow (see ``flow.to_levels``)."""
        mirrored = np.stack(clip)[:, :, ::-1]
        return 255 - mirrored if modality == FLOW else mirrored


@TRANSFORMS.register_module()
class ClipColorJitter(PerClipTransform):
    """Change brightness, contrast, saturation and hue of RGB clips in random order.

    MMAction2's ``ColorJitter`` fixes the order when it is built and overflows on a
    negative hue with NumPy 2.

    Args:
        brightness (float): Factor uniform in ``[1 - b, 1 + b]``. Defaults to 0.5.
        contrast (float): Likewise. Defaults to 0.5.
        saturation (float): Likewise. Defaults to 0.5.
        hue (float): Shift uniform in ``[-hue, hue]`` turns, at most 0.5.
        prob (float): Probability to change a clip at all. Defaults to 0.8.
    """

    rgb_only = True

    def __init__(
        self,
        brightness: float = 0.5,
        contrast: float = 0.5,
        saturation: float = 0.5,
        hue: float = 0.5,
        prob: float = 0.8,
    ) -> None:
        super().__init__(prob)
        if not 0 <= hue <= 0.5 or not all(0 <= v <= 1 for v in (brightness, contrast, saturation)):
            raise ValueError(
                "ClipColorJitter needs brightness, contrast and saturation in 0..1 and hue in "
                f"0..0.5, but got {brightness}, {contrast}, {saturation} and {hue}."
            )
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue

    def augment(self, clip: Sequence[np.ndarray], modality: str = RGB) -> np.ndarray:
        """Apply the four operations, each with one draw for the clip."""
        steps = (
            (color.adjust_brightness, 1.0, self.brightness),
            (color.adjust_contrast, 1.0, self.contrast),
            (color.adjust_saturation, 1.0, self.saturation),
            (color.adjust_hue, 0.0, self.hue),
        )
        frames = np.ascontiguousarray(clip)
        for index in np.random.permutation(len(steps)):
            adjust, neutral, strength = steps[index]
            if strength:
                frames = adjust(frames, neutral + np.random.uniform(-strength, strength))
        return frames


@TRANSFORMS.register_module()
class ClipGrayscale(PerClipTransform):
    """Drop the colours of an RGB clip.

    Args:
        prob (float): Probability. Defaults to 0.2.
    """

    rgb_only = True

    def __init__(self, prob: float = 0.2) -> None:
        super().__init__(prob)

    def augment(self, clip: Sequence[np.ndarray], modality: str = RGB) -> np.ndarray:
        """Replace the colours by luma."""
        return color.grayscale(np.ascontiguousarray(clip))


@TRANSFORMS.register_module()
class ClipGaussianBlur(PerClipTransform):
    """Blur an RGB clip.

    Args:
        kernel_size (int): Odd side of the kernel in pixels. Defaults to 15.
        sigma (float): Standard deviation in pixels. Defaults to 2.
        prob (float): Probability. Defaults to 0.2.
    """

    rgb_only = True

    def __init__(self, kernel_size: int = 15, sigma: float = 2.0, prob: float = 0.2) -> None:
        super().__init__(prob)
        if kernel_size < 1 or kernel_size % 2 == 0 or sigma <= 0:
            raise ValueError(
                "ClipGaussianBlur needs an odd kernel_size and a sigma above 0, but got "
                f"{kernel_size} and {sigma}."
            )
        self.kernel_size = kernel_size
        self.sigma = sigma

    def augment(self, clip: Sequence[np.ndarray], modality: str = RGB) -> np.ndarray:
        """Blur all frames alike."""
        return color.gaussian_blur(np.ascontiguousarray(clip), self.kernel_size, self.sigma)
