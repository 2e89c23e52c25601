"""Converting checkpoints of other projects, and comparing a checkpoint with a model."""

from .convert import check_r3d18, convert_checkpoint
from .key_maps import FORMATS, convert_keys, detect_format
from .loading_report import LoadingReport, compare_states, report_table

__all__ = [
    "FORMATS",
    "LoadingReport",
    "check_r3d18",
    "compare_states",
    "convert_checkpoint",
    "convert_keys",
    "detect_format",
    "report_table",
]
