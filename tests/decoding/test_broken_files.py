"""Files that are no videos, or not the videos they say they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from slic_mmaction.decoding import UnreadableVideoError, open_reader

pytest.importorskip("av", minversion="17")
pytest.importorskip("decord")
DECODERS = ("pyav", "opencv", "decord")


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def overwrite(path: Path, begin: float, end: float) -> Path:
    content = bytearray(path.read_bytes())
    first, last = int(len(content) * begin), int(len(content) * end)
    content[first:last] = bytes(last - first)
    path.write_bytes(content)
    return path


def broken(make, path: Path, kind: str) -> Path:
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("no video" * 100)
    elif kind == "folder":
        path.mkdir()
    elif kind == "audio":
        make.audio(path)
    elif kind == "index-cut-off":  # MP4 keeps it at the end
        cut(make.video(path), 0.6)
    elif kind == "frames-cut-off":
        cut(make.video(path, container_options={"movflags": "faststart"}), 0.05)
    return path


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    "kind", ["missing", "empty", "text", "folder", "audio", "index-cut-off", "frames-cut-off"]
)
def test_no_video_is_said_with_its_path(make, tmp_path: Path, kind: str, decoder: str) -> None:
    path = broken(make, tmp_path / f"{kind}.mp4", kind)
    with pytest.raises(UnreadableVideoError, match=rf"{kind}\.mp4") as caught:
        open_reader(str(path), decoder).frames([0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "settings"),
    [
        ("avi", dict(codec="mpeg4")),
        ("mkv", dict()),
        ("mp4", dict(container_options={"movflags": "faststart"})),
    ],
)
@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
def test_a_truncated_video_is_looped_and_counted(
    make, tmp_path: Path, suffix: str, settings: dict, decoder: str
) -> None:
    path = cut(make.video(tmp_path / f"v.{suffix}", **settings), 0.6)
    reader = open_reader(str(path), decoder)
    numbers = make.numbers(reader.frames(range(60)))
    length = reader.num_frames
    assert 15 < length < 40 and numbers == [numbers[i % length] for i in range(60)]
    # The picture at the cut is damaged; those before are the right ones.
    assert numbers[: length - 2] == list(range(length - 2))
    if suffix != "mkv":  # Matroska's header has no number of frames
        assert reader.promised_frames == 60


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
def test_known_lengths_need_no_loop(make, tmp_path: Path, decoder: str) -> None:
    path = cut(make.video(tmp_path / "v.mkv"), 0.6)
    reader = open_reader(str(path), decoder)
    assert reader.num_frames < 40


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_damage_inside_costs_only_the_frames_it_hits(make, tmp_path: Path, suffix: str) -> None:
    codec = dict(mp4=dict(options={"g": "10"}), avi=dict(codec="mpeg4", gop_size=10))[suffix]
    settings = dict(container_options={"movflags": "faststart"}) if suffix == "mp4" else {}
    path = overwrite(make.video(tmp_path / f"v.{suffix}", **codec, **settings), 0.75, 0.77)
    reader = open_reader(str(path), "pyav")
    numbers = make.numbers(reader.frames(range(reader.num_frames)))
    assert len(set(numbers) & set(range(60))) > 45
    assert numbers[:10] == list(range(10)) and set(range(55, 60)) <= set(numbers)


def test_a_change_of_size_midway(make, tmp_path: Path) -> None:
    """Two recordings of different size, glued together: all frames get the first one's size."""
    import av

    parts = [
        make.video(tmp_path / f"{i}.h264", num_frames=8, size=size)
        for i, size in enumerate([(96, 64), (80, 48)])
    ]
    glued = tmp_path / "glued.h264"
    glued.write_bytes(b"".join(part.read_bytes() for part in parts))
    with av.open(str(glued)) as container:
        assert len({frame.width for frame in container.decode(video=0)}) == 2
    frames = open_reader(str(glued), "pyav").frames(range(16))
    assert {frame.shape for frame in frames} == {(64, 96, 3)}
    assert make.numbers(frames) == [*range(8), *range(8)]
