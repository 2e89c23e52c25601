"""Files that are no videos, or not the videos they say they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from slic_mmaction.decoding import UnreadableVideoError, open_reader

from ..videos import cut_off, silence
from .numbered_videos import numbers_of, write

pytest.importorskip("decord")
AT_THE_FRONT = {"movflags": "faststart"}  # MP4's index, which else is at the end


def broken(path: Path, kind: str) -> Path:
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("no video" * 100)
    elif kind == "folder":
        path.mkdir()
    elif kind == "audio":
        silence(path)
    elif kind == "index-cut-off":
        cut_off(write(path), 0.6)
    elif kind == "frames-cut-off":
        cut_off(write(path, container_options=AT_THE_FRONT), 0.05)
    return path


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "text", "folder", "audio", "index-cut-off", "frames-cut-off"]
)
def test_no_video_is_said_with_its_path(tmp_path: Path, kind: str) -> None:
    path = broken(tmp_path / f"{kind}.mp4", kind)
    for decoder in ("pyav", "decord"):
        with pytest.raises(UnreadableVideoError, match=rf"{kind}\.mp4") as caught:
            open_reader(str(path), decoder).frames([0])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "settings"),
    [
        ("avi", dict(codec="mpeg4")),
        ("mkv", dict()),
        ("mp4", dict(container_options=AT_THE_FRONT)),
    ],
)
def test_a_truncated_video_is_looped_and_counted(tmp_path, suffix, settings) -> None:
    path = cut_off(write(tmp_path / f"v.{suffix}", **settings), 0.6)
    reader = open_reader(str(path))
    assert suffix != "mkv" or reader.num_frames < 40  # known before any frame is decoded
    numbers = numbers_of(reader.frames(range(60)))
    length = reader.num_frames
    assert 15 < length < 40 and numbers == [numbers[i % length] for i in range(60)]
    # The picture at the cut is damaged; those before are the right ones.
    assert numbers[: length - 2] == list(range(length - 2))
    # Matroska's header tells the time, not the number; the first frames' times are rounded.
    assert abs(reader.promised_frames - 60) <= (suffix == "mkv")
    in_one_pass = open_reader(str(path))
    assert numbers_of(in_one_pass) == numbers[:length] and in_one_pass.num_frames == length


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_damage_inside_costs_only_the_frames_it_hits(tmp_path: Path, suffix: str) -> None:
    codec = dict(mp4=dict(options={"g": "10"}), avi=dict(codec="mpeg4", gop_size=10))[suffix]
    settings = dict(container_options=AT_THE_FRONT) if suffix == "mp4" else {}
    path = write(tmp_path / f"v.{suffix}", **codec, **settings)
    content = bytearray(path.read_bytes())
    first, last = int(len(content) * 0.75), int(len(content) * 0.77)
    content[first:last] = bytes(last - first)
    path.write_bytes(content)
    reader = open_reader(str(path))
    numbers = numbers_of(reader.frames(range(reader.num_frames)))
    assert len(set(numbers) & set(range(60))) > 45
    assert numbers[:10] == list(range(10)) and set(range(55, 60)) <= set(numbers)


def test_a_change_of_size_midway(tmp_path: Path) -> None:
    """A smaller, interlaced recording at the end of another: all frames get the first's size."""
    glued = write(tmp_path / "glued.h264", num_frames=8, size=(96, 64))
    options = {"flags": "+ilme+ildct"}
    end = write(tmp_path / "end.h264", num_frames=8, size=(80, 48), options=options)
    glued.write_bytes(glued.read_bytes() + end.read_bytes())
    frames = open_reader(str(glued)).frames(range(16))
    assert {frame.shape for frame in frames} == {(64, 96, 3)}
    assert numbers_of(frames) == [*range(8), *range(8)]
