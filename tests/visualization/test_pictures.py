from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.runner import Runner

from slic_mmaction.decoding import UnreadableVideoError
from slic_mmaction.visualization import read_scalars, retrieval_gallery, video_strip

from ..decoding.numbered_videos import numbers_of
from ..decoding.test_timeline import write_variable


def test_gallery_marks_hits_and_misses(video_set: Path, tmp_path: Path) -> None:
    train = [str(video_set / f"train_{i}.mp4") for i in range(4)]
    out = retrieval_gallery(
        query_paths=[str(video_set / "test_0.mp4")],
        neighbor_paths=[train[:2]],
        hits=np.array([[True, False]]),
        similarities=np.array([[0.9, 0.4]]),
        query_names=["spin"],
        neighbor_names=[["spin", "a very long name that is cut off"]],
        title="title",
        out_path=tmp_path / "deep" / "gallery.png",
    )
    image = cv2.imread(str(out))[..., ::-1]
    for colour in ((0x00, 0x9E, 0x73), (0xD5, 0x5E, 0x00)):
        assert (image == colour).all(-1).sum() > 100
    assert [p.name for p in out.parent.iterdir()] == ["gallery.png"]


def test_strip_shows_a_video_in_order(tmp_path: Path) -> None:
    for t in range(9):
        frame = np.full((84, 100, 3), 28 * t, np.uint8)
        cv2.imwrite(str(tmp_path / f"img_{t:05}.png"), frame)
    strip = video_strip(tmp_path)
    assert strip.shape == (84, 336, 3)
    assert strip[10, [1, 56, 168, 280, 335], 0].tolist() == [255, 28 * 1, 28 * 4, 28 * 7, 255]
    with pytest.raises(UnreadableVideoError, match=r"missing\.mp4 does not exist"):
        video_strip(tmp_path / "missing.mp4")


def test_strip_of_a_moment_of_a_variable_rate(tmp_path: Path) -> None:
    path = write_variable(tmp_path / "a.mp4", size=(72, 54))
    strip = video_strip(path, 1.0, 4.0, height=54)
    assert numbers_of(np.split(strip, 3, axis=1)) == [1, 2, 3]


def test_scalars_of_a_real_run(tiny_config, tmp_path: Path) -> None:
    cfg = tiny_config()
    cfg.train_cfg.update(val_interval=1)
    cfg.custom_hooks.insert(0, dict(type="InitialValidationHook"))
    runner = Runner.from_cfg(cfg)
    runner.train()
    series = read_scalars(cfg.work_dir)
    assert list(series["cluster/nmi"]) == [0, 1]
    assert list(series["loss"]) == [1, 2]
    assert list(series["retrieval/R@1"]) == [0, 1, 2]


def test_a_last_line_cut_off_by_a_kill_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "scalars.json"
    path.write_text(json.dumps(dict(speed=1.0, epoch=1)) + '\n{"loss": 2.0, "epo')
    assert read_scalars(path) == {"speed": {1: 1.0}}
    path.unlink()
    with pytest.raises(ValueError, match=r"no scalars\.json at"):
        read_scalars(tmp_path)
