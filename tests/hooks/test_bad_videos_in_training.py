"""A training run whose videos cannot all be read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mmengine.runner import Runner

from slic_mmaction.datasets.bad_videos import TooManyBadVideosError

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(video_set: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    shutil.copytree(video_set, folder)
    (folder / "train_3.mp4").write_bytes(b"no video")
    return folder


def config(tiny_config, folder: Path, workers: int, max_bad_ratio: float):
    cfg = tiny_config(root=folder)
    for pipeline in (cfg.train_dataloader.dataset.pipeline, cfg.custom_hooks[0].pipeline):
        pipeline[0] = dict(type="OpenVideo")
        pipeline[2] = dict(type="DecodeFrames")
    cfg.train_dataloader.num_workers = cfg.custom_hooks[0].num_workers = workers
    cfg.train_dataloader.dataset.max_bad_ratio = max_bad_ratio
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None  # retrieval replaces nothing
    return cfg


@pytest.mark.parametrize("workers", [0, 1])
def test_it_has_no_cluster_and_training_goes_on(tiny_config, folder: Path, workers: int) -> None:
    runner = Runner.from_cfg(config(tiny_config, folder, workers, max_bad_ratio=0.2))
    runner.train()
    dataset = runner.train_dataloader.dataset
    labels = dataset.store.labels.tolist()
    assert labels[3] == -1 and min(labels[:3] + labels[4:]) == 0
    assert dataset.bad_videos.unreadable.nonzero().flatten().tolist() == [3]
    log = Path(runner.log_dir, f"{runner.timestamp}.log").read_text()
    assert log.count("train_3.mp4") == 1 and "Bad video, left out from now on" in log


def test_too_many_stop_the_run(tiny_config, folder: Path) -> None:
    with pytest.raises(TooManyBadVideosError, match=r"1 of 8 videos cannot be read(.|\n)*train_3"):
        Runner.from_cfg(config(tiny_config, folder, 0, max_bad_ratio=0.01)).train()
