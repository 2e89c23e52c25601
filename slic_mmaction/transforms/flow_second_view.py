"""Showing some views of a sample in another modality than RGB."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from .clip_draws import RGB
from .view_frames import ANCHOR

SECOND_ANCHOR = "second_anchor"
REPLACEABLE = ("positive", SECOND_ANCHOR)


def told_apart(views: Sequence[str]) -> list[str]:
    """Name the second anchor of a sample, which must never be mixed up with the first."""
    named = list(views)
    if named.count(ANCHOR) > 1:
        named[named.index(ANCHOR, named.index(ANCHOR) + 1)] = SECOND_ANCHOR
    return named


class SecondModality(BaseTransform):
    """Replaces a clip by other images of the same frames, drawn for each clip.

    The first anchor always stays RGB: it is what the other views are compared with
    (METHOD "Training sample").

    Required Keys:

    - imgs (Sequence of (H, W, 3) uint8 frames, clip after clip)
    - clip_len
    - frame_inds
    - views (Sequence[str], optional): One for each clip, of :class:`ClusterAwareDataset`.
      Absent, as in pipelines for embedding and evaluation, every clip may be replaced.
    - modalities (Sequence[str], optional): One for each clip; absent means all
      ``'rgb'``. A clip that is not RGB is left alone.

    Modified Keys: imgs, modalities. Augmentations read the latter: values that are not
    colours get the crop and the flip, but no change of colours.

    Args:
        prob (float): Probability for each clip. Defaults to 0.25, the paper's.
        views (Sequence[str]): Which clips: ``'positive'`` and ``'second_anchor'``.
            Defaults to both.

    Raises:
        ValueError: If an argument is out of range.
    """

    modality: ClassVar[str]

    def __init__(self, prob: float = 0.25, views: Sequence[str] = REPLACEABLE) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f"{type(self).__name__} needs prob in 0..1, but got {prob}.")
        if not views or not set(views) <= set(REPLACEABLE):
            raise ValueError(
                f"{type(self).__name__} can replace the views {REPLACEABLE}, but got {views}."
            )
        self.prob = prob
        self.views = tuple(views)

    @abstractmethod
    def images(self, results: dict, clip: slice) -> Sequence[np.ndarray]:
        """One (h, w) uint8 image for each frame of ``clip``, of any size."""

    def transform(self, results: dict) -> dict:
        """Draw for each clip that may be replaced, and replace it."""
        frames, clip_len = list(results["imgs"]), results["clip_len"]
        replaceable = [self.views[0]] * (len(frames) // clip_len)
        views = told_apart(results.get("views", replaceable))
        modalities = list(results.get("modalities", [RGB] * len(views)))
        for number, view in enumerate(views):
            if view not in self.views or np.random.random() >= self.prob:
                continue
            if modalities[number] != RGB:
                continue
            clip = slice(number * clip_len, (number + 1) * clip_len)
            height, width = frames[clip.start].shape[:2]
            frames[clip] = [as_rgb(i, (width, height)) for i in self.images(results, clip)]
            modalities[number] = self.modality
        results["imgs"] = frames
        results["modalities"] = modalities
        return results

    def __repr__(self) -> str:
        fields = ", ".join(f"{key}={value!r}" for key, value in vars(self).items())
        return f"{type(self).__name__}({fields})"


def as_rgb(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a grey image to ``(width, height)`` and repeat it to three channels."""
    if image.shape[::-1] != size:
        shrinks = image.shape[1] > size[0]
        image = cv2.resize(
            image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
    return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
