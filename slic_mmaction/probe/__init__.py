"""The linear probe: many linear classifiers on stored features at once, one of them chosen."""

from .labelled_clips import LabelledClips
from .linear_sweep import SweepSettings, train_linear_sweep, video_probabilities
from .validation_cut import validation_cut, video_groups

__all__ = [
    "LabelledClips",
    "SweepSettings",
    "train_linear_sweep",
    "validation_cut",
    "video_groups",
    "video_probabilities",
]
