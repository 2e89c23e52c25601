"""Opening a video file with PyAV: which of its streams is the video, which way up it is shown."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from .reader import UnreadableVideoError

# FFmpeg's AVFieldOrder.
PROGRESSIVE = 1


def open_container(name: str, source: str | bytes) -> tuple[Any, Any]:
    """Open a path or a file's content: its ``av`` container and the stream that is the video.

    That is the one marked as default, else the one that FFmpeg's own player takes (which is known
    to move, then the one of the highest bit rate), never an attached picture such as the cover of
    a sound file.

    Raises:
        UnreadableVideoError: If it is no such file, or has no video that can be decoded.
    """
    import av

    try:
        opened = io.BytesIO(source) if isinstance(source, bytes) else source
        container: Any = av.open(opened, metadata_errors="ignore")
    except av.FFmpegError as error:
        raise UnreadableVideoError(
            f"The video {name} cannot be opened ({error.strerror})."
        ) from error
    streams = video_streams(container)
    chosen = container.streams.best("video")
    if chosen not in streams:
        default = av.stream.Disposition.default
        chosen = max(streams, key=lambda s: bool(s.disposition & default), default=None)
    if chosen is None or chosen.codec_context is None:
        container.close()
        raise UnreadableVideoError(
            f"The file {name} has no video stream."
            if chosen is None
            else f"The video {name} has a codec that the installed FFmpeg does not know."
        )
    return container, chosen


def video_streams(container: Any) -> list[Any]:
    """The video streams of a container that are no attached picture."""
    from av.stream import Disposition

    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def may_split_fields(stream: Any, first_frame: Callable[[], Any]) -> bool:
    """Whether a packet may be half a frame: interlaced H.264, as camcorders write it.

    Args:
        stream: The video stream.
        first_frame: Decodes the first frame. Called with PyAV 17 only, the last for Python 3.10.
    """
    context = stream.codec_context
    if context.name != "h264":
        return False
    if hasattr(context, "field_order"):  # new in PyAV 18
        return context.field_order != PROGRESSIVE
    frame = first_frame()
    return frame is not None and frame.interlaced_frame


def display_matrix(frame: Any) -> tuple[int, int, int, int]:
    """How a decoded ``av.VideoFrame`` (or None) is to be shown.

    Returns:
        (a, b, c, d): the stored pixel (x, y) is shown at (a x + c y, b x + d y), up to a shift
        (ISO/IEC 14496-12, track header). (1, 0, 0, 1) where the file says nothing.
    """
    stored = frame and frame.side_data.get("DISPLAYMATRIX")
    if not stored:
        return 1, 0, 0, 1
    a, b, _, c, d, *_ = np.frombuffer(bytes(stored), np.int32).tolist()
    return a, b, c, d


def upright(picture: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Turn and mirror a stored (H, W, 3) picture as :func:`display_matrix` says.

    The matrix's scale is ignored; an angle in between becomes the nearest multiple of 90 degrees.
    """
    a, b, c, d = matrix
    if abs(b) > abs(a):
        picture, right, down = picture.transpose(1, 0, 2), c, b
    else:
        right, down = a, d
    picture = picture[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]
    return np.ascontiguousarray(picture)
