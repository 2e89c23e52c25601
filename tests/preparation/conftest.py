"""Small sound and broken videos, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from ..videos import cut_off, encode, silence


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
    return encode(
        path,
        (np.roll(picture, 3 * t, 1) if grey is None else np.full_like(picture, grey)
         for t in range(count)),
        codec="mpeg4" if path.suffix == ".avi" else "libx264",
        stamps=milliseconds,
        time_base=Fraction(1, 25 if milliseconds is None else 1000),
        pix_fmt="yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p",
        container_options=options,
    )  # fmt: skip


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
    silence(root / "sound.mp4")
    write_video(root / "one_frame.avi", 1)
    return {path.stem: path for path in root.iterdir()}
