"""Writing the videos of tests: frames into a file of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 25


def encode(
    path: Path,
    frames: Iterable[np.ndarray],
    codec: str = "libx264",
    stamps: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, RATE),
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    container_options: dict[str, str] | None = None,
    matrix: tuple[int, int, int, int] | None = None,
    **settings: Any,
) -> Path:
    """Encode RGB frames, (H, W, 3) uint8, to be shown by a display matrix of (a, b, c, d).

    ``stamps`` are the frames' times in units of ``time_base``; ``settings`` are set on the codec
    context.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=RATE, options=options or {})
        stream.pix_fmt, stream.codec_context.time_base = pix_fmt, time_base
        if matrix is not None:
            a, b, c, d = (value << 16 for value in matrix)
            stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        for number, picture in enumerate(frames):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number if stamps is None else stamps[number]
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def silence(path: Path) -> Path:
    """Write a file with a moment of sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def cut_off(path: Path, share: float = 0.5) -> Path:
    """Keep the first part of a file, as of a download that broke off."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path
