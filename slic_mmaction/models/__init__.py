"""Heads and pooling for MMAction2's recognizers."""

from .pooling import pool_clips
from .slic_head import SLICHead

__all__ = ["SLICHead", "pool_clips"]
