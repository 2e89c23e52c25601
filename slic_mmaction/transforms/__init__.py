"""Clip sampling and augmentation, registered in MMAction2's TRANSFORMS."""

from .clip_augment import (
    ClipColorJitter,
    ClipFlip,
    ClipGaussianBlur,
    ClipGrayscale,
    ClipRandomResizedCrop,
)
