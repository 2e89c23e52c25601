"""Clip sampling and augmentation, registered in MMAction2's TRANSFORMS."""

from .cached_video import CachedVideo
from .clip_augment import (
    ClipColorJitter,
    ClipFlip,
    ClipGaussianBlur,
    ClipGrayscale,
    ClipRandomResizedCrop,
)
from .decode_frames import DecodeFrames
from .flow_difference import FrameDifference
from .flow_view import FlowView
from .fused_augment import ClipAugment
from .open_video import OpenVideo
from .view_frames import SampleViewFrames

__all__ = [
    "CachedVideo",
    "ClipAugment",
    "ClipColorJitter",
    "ClipFlip",
    "ClipGaussianBlur",
    "ClipGrayscale",
    "ClipRandomResizedCrop",
    "DecodeFrames",
    "FlowView",
    "FrameDifference",
    "OpenVideo",
    "SampleViewFrames",
]
