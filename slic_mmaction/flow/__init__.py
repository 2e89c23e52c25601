"""Optical flow as a second view of a clip: estimation, 8-bit images and files.

The transforms that use it are in ``slic_mmaction.transforms``.
"""

from .estimate import METHODS, build_estimator, sampled_flow, shrunk_gray, video_flow
from .images import flow_levels, forward_images, to_levels
from .store import (
    FlowSettings,
    check_template,
    read_flow,
    read_rawframes,
    read_settings,
    relative_name,
    stored_path,
    write_flow,
)

__all__ = [
    "METHODS",
    "FlowSettings",
    "build_estimator",
    "check_template",
    "flow_levels",
    "forward_images",
    "read_flow",
    "read_rawframes",
    "read_settings",
    "relative_name",
    "sampled_flow",
    "shrunk_gray",
    "stored_path",
    "to_levels",
    "video_flow",
    "write_flow",
]
