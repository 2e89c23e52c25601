from __future__ import annotations

import numpy as np

TOOL = "demo/motion_videos.py"


def test_looks_tell_the_scene_and_only_the_motion_its_class(tool) -> None:
    looks = []
    for scene in range(3):
        clips = {m: tool.render_clip(scene, m, 0) for m in tool.MOTIONS}
        (corner,) = {tuple(clip[0, 0, 0]) for clip in clips.values()}
        looks.append(corner)
        for motion, clip in clips.items():
            assert (np.ptp(clip, axis=0).max() == 0) == (motion == "still")
    assert len(set(looks)) == 3
    # Clips are a function of their seeds.
    clip = tool.render_clip(2, "spin", 0)
    assert clip.shape == (20, 64, 64, 3) and clip.dtype == np.uint8
    np.testing.assert_array_equal(clip, clips["spin"])
    assert not np.array_equal(clip, tool.render_clip(2, "spin", 1))


def test_set_is_complete_and_not_written_twice(tool, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tool, "SPLITS", {"train": (2, 1), "test": (1, 2)})
    tool.write_video_set(tmp_path)
    train, test = ((tmp_path / f"{s}.txt").read_text().splitlines() for s in ("train", "test"))
    assert len(train) == 12 and len({line.split()[1] for line in train}) == 6
    assert all((tmp_path / line.split()[0]).stat().st_size > 0 for line in train + test)
    before = (tmp_path / train[0].split()[0]).stat().st_mtime_ns
    tool.write_video_set(tmp_path)
    assert (tmp_path / train[0].split()[0]).stat().st_mtime_ns == before
    scenes = [{line.split("_")[1] for line in lines} for lines in (train, test)]
    assert not scenes[0] & scenes[1]
