"""Optical flow as a second view of a clip: estimating it, its 8-bit images, its files.

Arrays and files only: the transforms that show it are in ``slic_mmaction.transforms``.
"""

from .estimate import METHODS, FlowEstimator, build_estimator
from .levels import REFERENCE_SIDE, flow_levels, to_levels
from .motion_boundaries import motion_boundary_histograms
from .pairs import forward_images
from .rawframes import read_rawframes
from .store import (
    FlowSettings,
    read_flow,
    read_settings,
    relative_name,
    stored_path,
    write_flow,
)
from .videos import BrokenVideoError, sampled_flow, video_flow

__all__ = [
    "METHODS",
    "REFERENCE_SIDE",
    "BrokenVideoError",
    "FlowEstimator",
    "FlowSettings",
    "build_estimator",
    "flow_levels",
    "forward_images",
    "motion_boundary_histograms",
    "read_flow",
    "read_rawframes",
    "read_settings",
    "relative_name",
    "sampled_flow",
    "stored_path",
    "to_levels",
    "video_flow",
    "write_flow",
]
