"""Small sound and broken videos, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest


def frames(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """(H, W, 3) uint8 pictures with structure, each different from the one before."""
    width, height = size
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    return [np.roll(picture, 3 * t, axis=1) for t in range(count)]


def write_xvid(path: Path, count: int = 12, size: tuple[int, int] = (96, 64)) -> Path:
    """Write a file as UCF101's: Xvid in .avi."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # OpenCV takes % in a name for a number pattern.
    plain = path.with_name("plain.avi")
    writer = cv2.VideoWriter(str(plain), cv2.VideoWriter.fourcc(*"XVID"), 25, size)
    for frame in frames(count, size):
        writer.write(frame)
    writer.release()
    return plain.rename(path)


def write_h264(
    path: Path,
    count: int = 12,
    size: tuple[int, int] = (96, 64),
    milliseconds: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    grey: int | None = None,
) -> Path:
    """Write H.264 with PyAV, at 25 frames a second or at given times, or of one grey value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = milliseconds or [40 * i for i in range(count)]
    with av.open(str(path), "w", options=options or {}) as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        if size[0] % 2 or size[1] % 2:
            stream.pix_fmt = "yuv444p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time, picture in zip(times, frames(count, size)):
            shown = picture if grey is None else np.full_like(picture, grey)
            frame = av.VideoFrame.from_ndarray(shown, format="bgr24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
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
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


@pytest.fixture(scope="session")
def make() -> dict:
    """The makers above, by name (test modules cannot import a conftest)."""
    return dict(xvid=write_xvid, h264=write_h264, cut_off=cut_off)


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of broken files: the name says how, the value where."""
    root = tmp_path_factory.mktemp("broken")
    (root / "empty.avi").touch()
    (root / "text.avi").write_text("no video at all\n" * 50)
    cut_off(write_xvid(root / "half.avi", 60))
    cut_off(write_h264(root / "half_without_index.mp4", 60))
    cut_off(write_h264(root / "half.mkv", 60))
    cut_off(write_h264(root / "half_with_index.mp4", 60, options={"movflags": "faststart"}))
    write_sound(root / "sound.mp4")
    write_xvid(root / "one_frame.avi", 1)
    return {path.stem if path.suffix != ".mkv" else "half_mkv": path for path in root.iterdir()}
