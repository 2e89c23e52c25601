from __future__ import annotations

import importlib
import shutil
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from slic_mmaction.decoding import open_reader

from .conftest import write_video

TIMES = np.cumsum(np.random.default_rng(0).integers(20, 120, 40)).tolist()


@pytest.fixture
def tool(monkeypatch):
    """The script as a module that worker processes can import."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "tools" / "data"))
    return importlib.import_module("resize_videos")


def pictures(path: Path) -> np.ndarray:
    reader = open_reader(str(path))
    return np.array(reader.frames(range(reader.num_frames))).astype(int)


def test_sides_frames_times_and_turns(tool, tmp_path: Path) -> None:
    def resize(source: Path, side: int, upscale: bool = False) -> Path:
        target = tmp_path / "out" / "x.mp4"
        scaling = tool.Scaling(side, upscale, crf=4)
        tool.resize_video((str(source), str(target)), scaling)
        assert [path.name for path in target.parent.iterdir()] == ["x.mp4"]
        return target

    for i, (size, side, upscale, (width, height)) in enumerate([
        ((160, 120), 64, False, (86, 64)), ((120, 160), 65, False, (64, 86)),
        ((99, 75), 256, False, (98, 74)), ((96, 64), 128, True, (192, 128)),
    ]):  # fmt: skip
        source = write_video(tmp_path / f"in #&ü%d{i}.mp4", 12, size)
        assert pictures(resize(source, side, upscale)).shape == (12, height, width, 3)

    source = write_video(tmp_path / "in.avi", 40)
    before, after = pictures(source), pictures(resize(source, 64))
    assert np.abs(before - after).mean() < 2 < 4 < np.abs(before[1:] - after[:-1]).mean()

    for suffix in (".mp4", ".mkv"):
        target = resize(write_video(tmp_path / f"v{suffix}", 40, milliseconds=TIMES), 32)
        with av.open(str(target)) as file:
            assert [stream.type for stream in file.streams] == ["video"]
            frames = list(file.decode(video=0))
        got = [1000 * float(frame.time - frames[0].time) for frame in frames]
        np.testing.assert_allclose(got, np.array(TIMES) - TIMES[0], atol=1.5)
        assert [i for i, frame in enumerate(frames) if frame.key_frame] == [0, 16, 32]

    for a, b in ((0, 1), (0, -1), (-1, 0)):  # as phones note their turn: ISO 14496-12, 8.3.2
        source = write_video(tmp_path / "phone.mp4", 6)
        content = bytearray(source.read_bytes())
        at = content.index(b"tkhd") + 44
        turn = struct.pack(">9i", a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
        content[at : at + 36] = turn
        source.write_bytes(content)
        before, after = pictures(source), pictures(resize(source, 64))
        assert before.shape == after.shape and np.abs(before - after).mean() < 3
        assert np.abs(before[:, ::-1, ::-1] - after).mean() > 20


def test_what_cannot_be_resized_leaves_nothing_behind(tool, tmp_path, monkeypatch) -> None:
    source, target = tmp_path / "in.avi", tmp_path / "out" / "x.mp4"

    def fails(message: str) -> None:
        with pytest.raises(ValueError, match=message):
            tool.resize_video((str(source), str(target)), tool.Scaling(32, False, 20))
        assert not list(tmp_path.glob("out/*"))

    source.write_text("broken")
    fails("cannot be opened")
    write_video(source)
    shorter = write_video(tmp_path / "shorter.mp4", 11)
    monkeypatch.setattr(tool, "encode", lambda _, part, __: shutil.copy(shorter, part))
    fails("12 frames became 11")


def test_folder_is_done_once(tool, tmp_path: Path, capsys) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    shutil.copy(write_video(source / "a b" / "1.avi"), source / "3.avi")
    (source / "half.avi").write_text("broken")
    (source / "gone.avi").symlink_to(tmp_path / "nowhere.avi")

    def run(side: int = 32) -> tuple[int, str]:
        arguments = [source, out, "--short-side", side, "--workers", 1]
        return tool.main(list(map(str, arguments))), capsys.readouterr().out

    code, said = run()
    assert "videos found: 4, resized now: 2, before: 0, failed: 2" in said
    assert code == 1 and "1 of them may succeed later" in said
    assert f"next, for videos of your own: python tools/data/custom/prepare.py {out}" in said
    assert "half.avi,cannot be opened" in (out / "not_resized.csv").read_text()
    assert pictures(out / "a b" / "1.mp4").shape == (12, 32, 48, 3)
    state = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert "resized now: 0, before: 2, failed: 2" in run()[1]
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == state

    (out / "3.mp4").unlink()
    (source / "gone.avi").unlink()
    write_video(source / "half.avi")
    code, said = run()
    assert code == 0 and "resized now: 2, before: 1, failed: 0" in said
    with pytest.raises(ValueError, match=r"'short_side': 32.*'short_side': 48.*another folder"):
        run(48)
    with pytest.raises(ValueError, match="lies within"):
        tool.main([str(source), str(source / "small")])
    (source / "3.mkv").touch()
    with pytest.raises(ValueError, match=r"2 videos in .* would become .*3.mp4"):
        run()
