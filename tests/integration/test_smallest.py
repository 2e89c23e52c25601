"""The smallest training sets work or explain themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ..runs import log_of, train


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_two_and_three_videos_train(tiny_config, video_set: Path, tmp_path, count) -> None:
    """The first of them has 5 frames only."""
    lines = (video_set / "train.txt").read_text().split("\n")[:count]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    cfg = tiny_config()
    cfg.train_dataloader.dataset.dataset.ann_file = str(tmp_path / "train.txt")
    if count == 3:  # longer than every video: looped
        for pipeline in (cfg.train_dataloader.dataset.pipeline, cfg.custom_hooks[0].pipeline):
            pipeline[1].clip_len = 64
    runner = train(cfg)
    assert runner.epoch == 2
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())
    log = log_of(runner)
    assert ("No two videos share a cluster" in log) == (count == 1)
    assert ("All videos are in one cluster" in log) == (count > 1)
