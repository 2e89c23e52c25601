from __future__ import annotations

import os
from pathlib import Path

import pytest

from slic_mmaction.preparation.lists import Entry
from slic_mmaction.preparation.matching import match_files
from slic_mmaction.preparation.video_files import find_videos, printable
from slic_mmaction.preparation.video_folder import VideoFolder


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_videos_and_nothing_else_are_found(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    touch(root, "b/2.AVI", "a b/1 #&ü.mp4", "top.webm", "b/notes.txt", "b/._2.avi", ".trash/x.avi")
    touch(tmp_path / "elsewhere", "3.mkv")
    (root / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "b" / "round").symlink_to(root, target_is_directory=True)
    assert find_videos(root) == ["a b/1 #&ü.mp4", "b/2.AVI", "linked/3.mkv", "top.webm"]
    with pytest.raises(FileNotFoundError, match="no folder of videos at"):
        find_videos(tmp_path / "nowhere")


def test_name_that_is_not_utf8_can_be_printed() -> None:
    assert printable(os.fsdecode(b"a\xff.avi")) == "a\\xff.avi"


A, B = Entry("air drumming", "x", 0), Entry("zumba", "x", 1)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["air drumming/x.mp4"], {A: ["air drumming/x.mp4"], B: []}),
        (["air_drumming/x.mkv", "Zumba/x.avi"], {A: ["air_drumming/x.mkv"], B: ["Zumba/x.avi"]}),
        (["x.webm"], {A: ["x.webm"], B: ["x.webm"]}),
        (["replacement/x.mp4", "zumba/x.mp4"],
         {A: ["replacement/x.mp4"], B: ["zumba/x.mp4", "replacement/x.mp4"]}),
        (["zumba/x.mp4", "zumba/x.avi"], {A: [], B: ["zumba/x.avi", "zumba/x.mp4"]}),
        (["zumba/y.avi", "zumba/x.avi.mp4"], {A: [], B: []}),
    ],
)  # fmt: skip
def test_files_are_matched_by_stem_and_class(paths: list[str], expected: dict) -> None:
    assert match_files([A, B], ["air drumming", "zumba"], paths) == expected


def test_broken_videos_are_moved_and_still_known(tmp_path: Path) -> None:
    touch(tmp_path / "videos", "a/1.avi", "a/2.avi")
    folder = VideoFolder(tmp_path / "videos", tmp_path / "bad")
    moved = folder.move_away("a/1.avi")
    assert moved == tmp_path / "bad" / "videos" / "a" / "1.avi" == folder.locate("a/1.avi")
    assert moved.read_text() == "a/1.avi"
    again = VideoFolder(tmp_path / "videos", tmp_path / "bad")
    assert again.paths == ["a/1.avi", "a/2.avi"] and again.is_moved("a/1.avi")
    touch(tmp_path / "videos", "a/1.avi")
    renewed = VideoFolder(tmp_path / "videos", tmp_path / "bad")
    assert not renewed.is_moved("a/1.avi")
    assert renewed.locate("a/1.avi") == tmp_path / "videos" / "a" / "1.avi"


def test_quarantine_within_the_videos_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "videos", "a/1.avi")
    for place in (tmp_path / "videos", tmp_path / "videos" / "bad"):
        with pytest.raises(ValueError, match="lies within"):
            VideoFolder(tmp_path / "videos", place)
    with pytest.raises(ValueError, match="No quarantine was named"):
        VideoFolder(tmp_path / "videos").move_away("a/1.avi")
