from __future__ import annotations

import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from slic_mmaction.preparation import resizing
from slic_mmaction.preparation.resize_run import FAULTS, resize_folder
from slic_mmaction.preparation.resizing import Scaling, resize_video

FFMPEG = shutil.which("ffmpeg")
PROGRAMS = [
    None,
    pytest.param(FFMPEG, marks=pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg")),
]


@pytest.fixture(autouse=True)
def needs_pyav() -> None:
    pytest.importorskip("av")


def read(path: Path) -> tuple[np.ndarray, float]:
    """(T, H, W, 3) frames as OpenCV shows them, and the frame rate."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (got := capture.read())[0]:
        frames.append(got[1])
    return np.array(frames), capture.get(cv2.CAP_PROP_FPS)


def resize(source: Path, target: Path, side: int, program: str | None = None, **options) -> None:
    scaling = Scaling(side, options.get("upscale", False), crf=options.get("crf", 20))
    resize_video((str(source), str(target)), scaling, program, timeout=60.0)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("size", "side", "upscale", "expected"),
    [
        ((160, 120), 64, False, (86, 64)),
        ((120, 160), 64, False, (64, 86)),
        ((120, 120), 64, False, (64, 64)),
        ((160, 120), 65, False, (86, 64)),
        ((160, 120), 256, False, (160, 120)),
        ((99, 75), 256, False, (98, 74)),
        ((75, 99), 256, False, (74, 98)),
        ((96, 64), 128, True, (192, 128)),
    ],
)
def test_short_side(make, tmp_path: Path, program, size, side, upscale, expected) -> None:
    source = make["h264"](tmp_path / "in #&ü%d.mp4", 12, size)
    resize(source, tmp_path / "out" / "x.mp4", side, program, upscale=upscale)
    frames, rate = read(tmp_path / "out" / "x.mp4")
    height, width = expected[1], expected[0]
    assert frames.shape == (12, height, width, 3) and rate == pytest.approx(25)


@pytest.mark.parametrize("program", PROGRAMS)
def test_pictures_stay_the_same_frame_by_frame(make, tmp_path: Path, program) -> None:
    source = make["xvid"](tmp_path / "in.avi", 40)
    resize(source, tmp_path / "x.mp4", 64, program, crf=4)
    before, after = read(source)[0].astype(int), read(tmp_path / "x.mp4")[0].astype(int)
    assert np.abs(before - after).mean() < 2
    assert np.abs(before[1:] - after[:-1]).mean() > 4


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("turn", [(0, 1, -1, 0), (0, -1, 1, 0), (-1, 0, 0, -1)])
def test_videos_of_phones_are_turned_upright(make, tmp_path: Path, program, turn) -> None:
    """OpenCV obeys the matrix in the track header as players do."""
    source = make["h264"](tmp_path / "in.mp4", 6)
    a, b, c, d = (65536 * x for x in turn)
    content = bytearray(source.read_bytes())
    at = content.index(b"tkhd") + 44  # ISO 14496-12, 8.3.2
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    source.write_bytes(content)
    before = read(source)[0].astype(int)
    assert before.shape[1:3] == ((96, 64) if a == 0 else (64, 96))
    resize(source, tmp_path / "x.mp4", 64, program, crf=4)
    after = read(tmp_path / "x.mp4")[0].astype(int)
    assert after.shape == before.shape and np.abs(before - after).mean() < 3
    assert np.abs(before[:, ::-1, ::-1] - after).mean() > 20


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_frame_rate_keeps_frames_and_times(make, tmp_path, program, suffix) -> None:
    av = pytest.importorskip("av")
    times = np.cumsum(np.random.default_rng(0).integers(20, 120, 30)).tolist()
    source = make["h264"](tmp_path / f"in{suffix}", 30, milliseconds=times)
    resize(source, tmp_path / "x.mp4", 32, program)
    with av.open(str(tmp_path / "x.mp4")) as file:
        got = [float(frame.time) for frame in file.decode(video=0)]
    expected = (np.array(times) - times[0]) / 1000
    np.testing.assert_allclose(np.array(got) - got[0], expected, atol=0.0015)


@pytest.mark.parametrize("program", PROGRAMS)
def test_sound_goes_and_key_frames_come(make, tmp_path: Path, program) -> None:
    av = pytest.importorskip("av")
    resize(make["xvid"](tmp_path / "in.avi", 50), tmp_path / "x.mp4", 32, program)
    with av.open(str(tmp_path / "x.mp4")) as file:
        assert [stream.type for stream in file.streams] == ["video"]
        keys = [i for i, frame in enumerate(file.decode(video=0)) if frame.key_frame]
    assert keys == [0, 16, 32, 48]


def test_broken_sources_leave_nothing_behind(broken, tmp_path: Path) -> None:
    for name, path in broken.items():
        if name == "one_frame":
            continue
        with pytest.raises(ValueError, match=r"decode|no video|empty"):
            resize(path, tmp_path / "x.mp4", 32)
    assert not list(tmp_path.iterdir())


def test_result_with_other_frames_is_thrown_away(make, tmp_path: Path, monkeypatch) -> None:
    source = make["xvid"](tmp_path / "in.avi", 12)
    shorter = make["h264"](tmp_path / "shorter.mp4", 11)
    monkeypatch.setattr(
        resizing, "resize_by_pyav", lambda source, target, *rest: shutil.copy(shorter, target)
    )
    with pytest.raises(ValueError, match="12 frames became 11"):
        resize(source, tmp_path / "out" / "x.mp4", 32)
    assert not list((tmp_path / "out").iterdir())


@pytest.fixture
def folder(make, broken, tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in ("a b/1.avi", "a b/2.avi", "3.avi"):
        make["xvid"](root / name)
    shutil.copy(broken["half"], root / "half.avi")
    return root


def run(source: Path, target: Path, side: int = 32):
    return resize_folder(source, target, Scaling(side, False, 20), None, 1, 60.0)


def test_folder_is_done_once(folder: Path, make, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run(folder, out)
    assert (first.found, first.done, first.before, len(first.faults)) == (4, 3, 0, 1)
    assert "breaks off" in (out / FAULTS).read_text()
    assert read(out / "a b" / "1.mp4")[0].shape == (12, 32, 48, 3)
    state = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    second = run(folder, out)
    assert (second.done, second.before, second.faults) == (0, 3, first.faults)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == state

    (out / "3.mp4").unlink()
    make["xvid"](folder / "half.avi", 20)
    third = run(folder, out)
    assert (third.done, third.before, third.faults) == (2, 2, {})


def test_sizes_are_not_mixed_and_names_do_not_clash(folder: Path, make, tmp_path: Path) -> None:
    run(folder, tmp_path / "out")
    with pytest.raises(ValueError, match=r"'short_side': 32.*'short_side': 48.*another folder"):
        run(folder, tmp_path / "out", side=48)
    with pytest.raises(ValueError, match="lies within"):
        run(folder, folder / "small")
    make["xvid"](folder / "3.mkv")
    with pytest.raises(ValueError, match=r"2 videos in .* would become .*3.mp4"):
        run(folder, tmp_path / "out")
