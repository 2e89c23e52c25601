"""Opening a video file with PyAV: choice of the video stream, and orientation."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from .reader import UnreadableVideoError

# FFmpeg's AVFieldOrder.
PROGRESSIVE = 1


def open_container(name: str, source: str | bytes) -> tuple[Any, Any]:
    """Open a video file, and return its ``av`` container and video stream.

    The stream is the one that FFmpeg's own player chooses: the default one, or else a moving one,
    then the one of the highest bit rate. It is never an attached picture such as the cover of a
    sound file.

    Args:
        name: Name of the video in messages.
        source: Path or content of the file.

    Raises:
        UnreadableVideoError: If the file cannot be opened, or has no video that can be decoded.
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
    """Return the video streams of a container, without attached pictures."""
    from av.stream import Disposition

    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def may_split_fields(stream: Any, first_frame: Callable[[], Any]) -> bool:
    """Return whether a packet may hold half a frame, as in interlaced H.264 of camcorders.

    Args:
        stream: Video stream.
        first_frame: Function that decodes the first frame. It is only called with PyAV 17, the
            last version for Python 3.10.
    """
    context = stream.codec_context
    if context.name != "h264":
        return False
    if hasattr(context, "field_order"):  # new in PyAV 18
        return context.field_order != PROGRESSIVE
    frame = first_frame()
    return frame is not None and frame.interlaced_frame


def display_matrix(frame: Any) -> tuple[int, int, int, int]:
    """Return the display matrix of a decoded ``av.VideoFrame``, or the default for None.

    Returns:
        (a, b, c, d): the stored pixel (x, y) is shown at (a x + c y, b x + d y), up to a shift
        (ISO/IEC 14496-12, track header). The default is (1, 0, 0, 1).
    """
    stored = frame and frame.side_data.get("DISPLAYMATRIX")
    if not stored:
        return 1, 0, 0, 1
    a, b, _, c, d, *_ = np.frombuffer(bytes(stored), np.int32).tolist()
    return a, b, c, d


def upright(picture: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Rotate and mirror a stored (H, W, 3) picture by its :func:`display_matrix`.

    The scale is ignored, and the angle is rounded to a multiple of 90 degrees.
    """
    a, b, c, d = matrix
    if abs(b) > abs(a):
        picture, right, down = picture.transpose(1, 0, 2), c, b
    else:
        right, down = a, d
    picture = picture[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]
    return np.ascontiguousarray(picture)
