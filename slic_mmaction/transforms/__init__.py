"""Clip sampling and augmentation, registered in MMAction2's TRANSFORMS."""

from .clip_augment import (
    ClipColorJitter,
    ClipFlip,
    ClipGaussianBlur,
    ClipGrayscale,
    ClipRandomResizedCrop,
)
from .retrieval_clips import SampleProtocolClips
from .view_frames import SampleViewFrames

__all__ = [
    "ClipColorJitter",
    "ClipFlip",
    "ClipGaussianBlur",
    "ClipGrayscale",
    "ClipRandomResizedCrop",
    "SampleProtocolClips",
    "SampleViewFrames",
]
