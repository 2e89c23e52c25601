"""Opening videos and decoding frames by number, with PyAV, decord or raw frames."""

from .choice import choose_decoder, open_reader
from .frame_folder import FrameFolder
from .reader import UnreadableVideoError, VideoReader

__all__ = [
    "FrameFolder",
    "UnreadableVideoError",
    "VideoReader",
    "choose_decoder",
    "open_reader",
]
