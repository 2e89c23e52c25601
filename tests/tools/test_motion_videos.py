from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SOURCE = Path(__file__).parents[2] / "tools" / "demo" / "motion_videos.py"


@pytest.fixture(scope="module")
def motion_videos() -> ModuleType:
    spec = importlib.util.spec_from_file_location("motion_videos", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_clips_are_a_function_of_their_seeds(motion_videos) -> None:
    clip = motion_videos.render_clip(3, "spin", 1)
    assert clip.shape == (20, 64, 64, 3) and clip.dtype == np.uint8
    np.testing.assert_array_equal(clip, motion_videos.render_clip(3, "spin", 1))
    assert not np.array_equal(clip, motion_videos.render_clip(3, "spin", 2))


def test_looks_tell_the_scene_and_not_the_motion(motion_videos) -> None:
    """The background is the scene's, whatever the motion."""
    corners = {
        (scene, motion): tuple(motion_videos.render_clip(scene, motion, 0)[0, 0, 0])
        for scene in range(5)
        for motion in motion_videos.MOTIONS
    }
    by_scene = [{corners[s, m] for m in motion_videos.MOTIONS} for s in range(5)]
    assert all(len(colours) == 1 for colours in by_scene)
    assert len(set.union(*by_scene)) == 5


def test_only_still_does_not_move(motion_videos) -> None:
    for motion in motion_videos.MOTIONS:
        clip = motion_videos.render_clip(0, motion, 0).astype(int)
        change = np.abs(np.diff(clip, axis=0)).mean()
        assert (change == 0) == (motion == "still")


def test_set_is_complete_and_not_written_twice(motion_videos, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(motion_videos, "SPLITS", {"train": (2, 1), "test": (1, 2)})
    motion_videos.write_video_set(tmp_path)
    lines = (tmp_path / "train.txt").read_text().splitlines()
    assert len(lines) == 12 and len({line.split()[1] for line in lines}) == 6
    for line in lines + (tmp_path / "test.txt").read_text().splitlines():
        assert (tmp_path / line.split()[0]).stat().st_size > 0
    before = (tmp_path / lines[0].split()[0]).stat().st_mtime_ns
    motion_videos.write_video_set(tmp_path)
    assert (tmp_path / lines[0].split()[0]).stat().st_mtime_ns == before
    train = {line.split("_")[1] for line in lines}
    test = {line.split("_")[1] for line in (tmp_path / "test.txt").read_text().splitlines()}
    assert not train & test
