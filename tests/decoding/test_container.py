"""Which stream of a file is the video, and which way up it is shown."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from slic_mmaction.decoding import UnreadableVideoError, open_reader
from slic_mmaction.decoding.container import upright

from .numbered_videos import numbers_of, write, write_streams

pytest.importorskip("decord")
STRAIGHT = [(x, 0, 0, y) for x, y in product((1, -1), repeat=2)]
CROSSED = [(0, x, y, 0) for x, y in product((1, -1), repeat=2)]


def shown(stored: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Pixel by pixel, as ISO/IEC 14496-12 defines the matrix."""
    a, b, c, d = matrix
    height, width = stored.shape[:2]
    corners = [(a * x + c * y, b * x + d * y) for x in (0, width - 1) for y in (0, height - 1)]
    left, top = (min(values) for values in zip(*corners))
    right, bottom = (max(values) for values in zip(*corners))
    out = np.zeros((bottom - top + 1, right - left + 1, 3), stored.dtype)
    for y, x in np.ndindex(height, width):
        out[b * x + d * y - top, a * x + c * y - left] = stored[y, x]
    return out


@pytest.mark.parametrize("matrix", STRAIGHT + CROSSED)
@pytest.mark.parametrize(("suffix", "size"), [("mp4", (80, 48)), ("mkv", (64, 48))])
def test_turned_and_mirrored_videos_are_upright(tmp_path, suffix, size, matrix) -> None:
    plain = write(tmp_path / f"plain.{suffix}", num_frames=5, size=size, codec="mpeg4")
    phone = write(
        tmp_path / f"phone.{suffix}", num_frames=5, size=size, codec="mpeg4", matrix=matrix
    )
    for decoder in ("pyav", "decord"):
        stored = open_reader(str(plain), decoder).frames([3])[0]
        picture = open_reader(str(phone), decoder).frames([3])[0]
        expected = shown(stored, matrix)
        assert picture.shape == expected.shape and picture.flags.c_contiguous
        # decord turns before it converts chroma, PyAV after.
        error = np.abs(picture.astype(int) - expected)
        assert error.max() == 0 if decoder == "pyav" else error.mean() < 2


def test_a_matrix_that_is_none_or_in_between() -> None:
    stored = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert np.array_equal(upright(stored, (0, 0, 0, 0)), stored)
    assert np.array_equal(upright(stored, (9, 5, -5, 9)), stored)  # 29 degrees
    assert np.array_equal(upright(stored, (5, 9, -9, 5)), np.rot90(stored, -1))  # 61 degrees


@pytest.mark.parametrize(
    ("marks", "chosen"), [(["", "default"], 1), (["default", ""], 0), (["", "default", ""], 1)]
)
def test_the_default_stream_is_the_video(tmp_path: Path, marks, chosen: int) -> None:
    path = write_streams(tmp_path / "v.mkv", marks)
    reader = open_reader(str(path), "pyav")
    assert numbers_of(reader.frames([0, 4])) == [100 * chosen, 100 * chosen + 4]
    assert reader.num_frames == 5
    with pytest.raises(UnreadableVideoError, match=r"v\.mkv has several video streams"):
        open_reader(str(path), "decord")


def test_an_attached_picture_is_no_video(tmp_path: Path) -> None:
    cover = write_streams(tmp_path / "cover.mp4", ["attached_pic", "default"])
    alone = write_streams(tmp_path / "alone.mp4", ["attached_pic"])
    for decoder in ("pyav", "decord"):
        assert numbers_of(open_reader(str(cover), decoder).frames([0, 4])) == [100, 104]
        with pytest.raises(UnreadableVideoError, match=r"alone\.mp4 has no video stream"):
            open_reader(str(alone), decoder)


def test_an_unknown_codec_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "v.avi", num_frames=3, codec="mpeg4")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"ZZZZ"))
    for decoder in ("pyav", "decord"):
        with pytest.raises(UnreadableVideoError, match=r"v\.avi has a codec that"):
            open_reader(str(path), decoder)
