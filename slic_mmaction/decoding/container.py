"""Opening a video file with PyAV: which of its streams is the video, which way up it is shown."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from .reader import UnreadableVideoError


def open_container(name: str, source: str | bytes) -> tuple[Any, Any]:
    """Open a file and choose its video stream.

    That is the one marked as default, else the best (the one whose first frames are known, then
    the one of the highest bit rate, as FFmpeg's own player chooses), never an attached picture
    such as the cover of a sound file.

    Args:
        name: Path, for messages.
        source: The path, or the file's content.

    Returns:
        The open ``av.container.InputContainer`` and its ``av.VideoStream``.

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
    best = container.streams.best("video")
    if best not in streams:
        default = av.stream.Disposition.default
        best = max(streams, key=lambda s: bool(s.disposition & default), default=None)
    if best is None or best.codec_context is None:
        container.close()
        raise UnreadableVideoError(
            f"The file {name} has no video stream."
            if best is None
            else f"The video {name} has a codec that the installed FFmpeg does not know."
        )
    return container, best


def video_streams(container: Any) -> list[Any]:
    """The video streams of a container that are no attached picture."""
    from av.stream import Disposition

    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def display_matrix(frame: Any) -> tuple[int, int, int, int]:
    """How a decoded ``av.VideoFrame`` is to be shown.

    Args:
        frame: The frame, or None if there is none.

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
    """Turn and mirror a stored picture as it is to be shown.

    Args:
        picture: (H, W, 3).
        matrix: Of :func:`display_matrix`; its scale is ignored, and an angle in between
            becomes the nearest multiple of 90 degrees.

    Returns:
        (H, W, 3) or (W, H, 3), contiguous.
    """
    a, b, c, d = matrix
    if abs(b) > abs(a):
        picture, right, down = picture.transpose(1, 0, 2), c, b
    else:
        right, down = a, d
    picture = picture[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]
    return np.ascontiguousarray(picture)
