"""Finding videos and matching them to lists."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slic_mmaction.preparation.lists import Entry, match_files
from slic_mmaction.preparation.video_files import (
    count_others,
    printable,
    scan_folder,
)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_videos_are_found_and_the_rest_is_counted(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    touch(root, "b/2.AVI", "a b/1 #&ü.mp4", "top.webm", "b/notes.txt", "b/._2.avi", ".trash/x.avi")
    touch(root, "cam/0001.MTS", "hdv.m2t", "phone.3gp", "pi.h264", "x.jpg", "y.JPG", "z")
    touch(tmp_path / "elsewhere", "3.mkv")
    (root / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "b" / "round").symlink_to(root, target_is_directory=True)
    found, others = scan_folder(root)
    assert found == ["a b/1 #&ü.mp4", "b/2.AVI", "cam/0001.MTS", "hdv.m2t", "linked/3.mkv",
                     "phone.3gp", "pi.h264", "top.webm"]  # fmt: skip
    assert count_others(others) == "2 .jpg, 2 hidden, 1 .txt, 1 without suffix"
    with pytest.raises(FileNotFoundError, match="no folder of videos at"):
        scan_folder(tmp_path / "nowhere")
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
