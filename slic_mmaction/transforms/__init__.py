"""Clip sampling and augmentation, registered in MMAction2's TRANSFORMS."""

from .cached_video import CachedVideo
from .clip_augment import ClipAugment
from .flow_view import FlowView, FrameDifference
from .open_video import DecodeFrames, OpenVideo
from .view_frames import SampleViewFrames

__all__ = [
    "CachedVideo",
    "ClipAugment",
    "DecodeFrames",
    "FlowView",
    "FrameDifference",
    "OpenVideo",
    "SampleViewFrames",
]
