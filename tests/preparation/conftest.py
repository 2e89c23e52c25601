"""Small sound and broken videos, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest


def write_video(
    path: Path,
    count: int = 12,
    size: tuple[int, int] = (96, 64),
    milliseconds: Sequence[int] | None = None,
    grey: int | None = None,
    **options: str,
) -> Path:
    """Write a moving picture, or one grey value: MPEG-4 in .avi as UCF101's, else H.264."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    with av.open(str(path), "w", options=options) as file:
        base = Fraction(1, 25 if milliseconds is None else 1000)
        stream = file.add_stream("mpeg4" if path.suffix == ".avi" else "libx264", rate=25)
        stream.width, stream.height, stream.codec_context.time_base = *size, base
        stream.pix_fmt = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
        for t in range(count):
            shown = np.roll(picture, 3 * t, 1) if grey is None else np.full_like(picture, grey)
            frame = av.VideoFrame.from_ndarray(shown, format="bgr24")
            frame.pts, frame.time_base = t if milliseconds is None else milliseconds[t], base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """Write a file with sound and no picture."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44100)
        for i in range(20):
            silence = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, 1024 * i
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def cut_off(path: Path, part: float = 0.5) -> Path:
    """Keep the first part of a file, as a download that broke off."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    return path


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The makers above (test modules cannot import a conftest)."""
    return SimpleNamespace(video=write_video, cut_off=cut_off)


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of broken files: the name says how, the value where."""
    root = tmp_path_factory.mktemp("broken")
    (root / "empty.avi").touch()
    (root / "text.avi").write_text("no video at all\n" * 50)
    cut_off(write_video(root / "half.avi", 60))
    cut_off(write_video(root / "half_without_index.mp4", 60))
    cut_off(write_video(root / "half_mkv.mkv", 60))
    cut_off(write_video(root / "half_with_index.mp4", 60, movflags="faststart"))
    write_sound(root / "sound.mp4")
    write_video(root / "one_frame.avi", 1)
    return {path.stem: path for path in root.iterdir()}
