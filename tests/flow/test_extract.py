from __future__ import annotations

import os
from pathlib import Path

import pytest

from slic_mmaction.flow import FlowSettings, read_flow, read_settings
from slic_mmaction.flow.extract import (
    FlowJob,
    extract,
    listed_videos,
    plan,
    remaining,
    videos_asked_for,
)

SETTINGS = FlowSettings(method="dis", short_side=64)


def test_lines_of_an_annotation_file(tmp_path: Path) -> None:
    annotation = tmp_path / "train.txt"
    lines = ("A/a.avi 3", "B/b c #1.mp4 0 12", "ü & ö.avi", "", "A/a.avi 3", "C/2.mp4,5", "d 7.avi")
    annotation.write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = ["A/a.avi", "B/b c #1.mp4", "ü & ö.avi", "C/2.mp4", "d 7.avi"]
    assert listed_videos(annotation, Path("root")) == [Path("root") / name for name in names]
    annotation.write_text("\n \n")
    with pytest.raises(ValueError, match=r"train\.txt lists no video"):
        listed_videos(annotation, Path("root"))


def test_each_video_has_a_file_of_its_own() -> None:
    jobs = plan([Path("r/A/x.avi"), Path("r/A/y.avi")], Path("r"), Path("out"))
    assert jobs[0] == FlowJob(Path("r/A/x.avi"), Path("out/A/x.flow.zip")) and len(jobs) == 2
    with pytest.raises(ValueError, match=r"r/x\.avi and r/x\.mp4 would both have the flow file"):
        plan([Path("r/x.avi"), Path("r/x.mp4")], Path("r"), Path("out"))


def test_extracting_again_does_only_what_is_missing(
    moving_square, write_video, tmp_path: Path
) -> None:
    root = tmp_path / "videos"
    root.mkdir()
    with pytest.raises(ValueError, match="no video in"):
        videos_asked_for(root, None)
    write_video(root / "sound [1].avi", moving_square((1, 0), 5)[0])
    (root / "broken.AVI").write_bytes(b"not a video")
    (root / "notes.txt").touch()
    jobs = broken, sound = plan(*videos_asked_for(root, None), tmp_path / "out")
    assert remaining(jobs, SETTINGS) == list(jobs)
    assert f"{root / 'broken.AVI'} cannot be opened" in extract(broken, SETTINGS)
    assert extract(sound, SETTINGS) is None
    assert os.listdir(sound.target.parent) == ["sound [1].flow.zip"]
    assert len(read_flow(sound.target, range(5))) == 5
    assert read_settings(sound.target) == SETTINGS
    assert remaining(jobs, SETTINGS) == [broken]
    # Other settings are refused in one sentence.
    with pytest.raises(ValueError) as error:
        remaining(jobs, FlowSettings(method="tvl1", short_side=128))
    assert "method dis instead of tvl1 and short side 64 instead of 128" in str(error.value)
    assert str(sound.target) in str(error.value) and "--out" in str(error.value)
    sound.target.write_bytes(sound.target.read_bytes()[:-20])
    assert remaining(jobs, SETTINGS) == list(jobs)
