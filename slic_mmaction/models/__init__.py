"""Head, pooling and data preprocessing for MMAction2's recognizers."""

from .pooling import pool_clips
from .slic_data_preprocessor import SLICDataPreprocessor
from .slic_head import SLICHead

__all__ = ["SLICDataPreprocessor", "SLICHead", "pool_clips"]
