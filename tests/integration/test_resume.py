"""A resumed run is the uninterrupted run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

pytestmark = pytest.mark.slow


def train(cfg) -> Runner:
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def assert_same_weights(a: Runner, b: Runner) -> None:
    ours, theirs = a.model.state_dict(), b.model.state_dict()
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


def long_run(tiny_config, work_dir: Path, epochs: int, workers: int = 0):
    cfg = tiny_config(work_dir)
    cfg.train_cfg.max_epochs = epochs
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    cfg.custom_hooks[0].interval = 3
    return cfg


@pytest.mark.parametrize("workers", [0, 2])
def test_resume_is_bit_identical(tiny_config, tmp_path: Path, workers: int) -> None:
    whole = train(long_run(tiny_config, tmp_path / "whole", 4))
    train(long_run(tiny_config, tmp_path / "parts", 2, workers))
    cfg = long_run(tiny_config, tmp_path / "parts", 4, workers)
    cfg.resume = True
    resumed = train(cfg)
    assert_same_weights(whole, resumed)
    for epoch in (0, 3):
        saved = [
            np.load(tmp_path / run / "pseudo_labels" / f"epoch_{epoch}.npz")["labels"]
            for run in ("whole", "parts")
        ]
        np.testing.assert_array_equal(*saved)


def test_resume_is_bit_identical_without_a_configured_seed(tiny_config, tmp_path: Path) -> None:
    """The sampler is built before the checkpoint's seed is known."""
    cfg = long_run(tiny_config, tmp_path / "parts", 1)
    cfg.pop("randomness")
    seed = train(cfg).seed
    cfg = long_run(tiny_config, tmp_path / "parts", 2)
    cfg.pop("randomness")
    cfg.resume = True
    resumed = train(cfg)
    cfg = long_run(tiny_config, tmp_path / "whole", 2)
    cfg.randomness.seed = seed
    assert_same_weights(train(cfg), resumed)


def test_resume_keeps_the_labels_and_does_not_recluster(tiny_config, tmp_path: Path) -> None:
    first = train(long_run(tiny_config, tmp_path, 2))
    labels = first.train_dataloader.dataset.store.labels.clone()
    (tmp_path / "pseudo_labels" / "epoch_0.npz").unlink()
    cfg = long_run(tiny_config, tmp_path, 3)
    cfg.resume = True
    second = train(cfg)
    assert torch.equal(second.train_dataloader.dataset.store.labels, labels)
    assert len(set(labels.tolist())) < len(labels)  # so they are not the initial ones
    assert not list((tmp_path / "pseudo_labels").iterdir())


def test_resume_after_the_set_has_changed(tiny_config, tmp_path: Path, video_set: Path) -> None:
    first = train(long_run(tiny_config, tmp_path, 2))
    before = first.train_dataloader.dataset.store.labels.tolist()
    lines = (video_set / "train.txt").read_text().split("\n")[:8]
    changed = tmp_path / "changed.txt"
    changed.write_text("\n".join([lines[6], "test_1.mp4 0", lines[2], lines[3]]))
    cfg = long_run(tiny_config, tmp_path, 3)
    cfg.train_dataloader.dataset.dataset.ann_file = str(changed)
    cfg.resume = True
    runner = train(cfg)
    labels = runner.train_dataloader.dataset.store.labels.tolist()
    assert labels == [before[6], -1, before[2], before[3]]
    log = Path(runner.log_dir, f"{runner.timestamp}.log").read_text()
    assert "1 added (first: test_1.mp4), 5 removed (first: train_0.mp4), another order" in log
    assert "An epoch had 2 iterations in the checkpoint and has 1 now" in log
    assert runner.iter == 3


def test_load_from_takes_weights_but_not_labels(tiny_config, tmp_path: Path) -> None:
    first = train(long_run(tiny_config, tmp_path / "first", 1))
    cfg = long_run(tiny_config, tmp_path / "second", 1)
    cfg.load_from = str(tmp_path / "first" / "epoch_1.pth")
    cfg.optim_wrapper.optimizer.lr = 0.0
    cfg.custom_hooks[0].clusterer = None
    second = train(cfg)
    for name, value in first.model.named_parameters():
        assert torch.equal(value, second.model.get_parameter(name)), name
    assert second.train_dataloader.dataset.store.labels.tolist() == list(range(8))


def test_checkpoint_without_labels_clusters_at_once(tiny_config, tmp_path: Path) -> None:
    train(long_run(tiny_config, tmp_path, 2))
    path = tmp_path / "epoch_2.pth"
    checkpoint = torch.load(path, weights_only=False)  # written by this test
    del checkpoint["pseudo_labels"]
    torch.save(checkpoint, path)
    cfg = long_run(tiny_config, tmp_path, 3)
    cfg.resume = True
    runner = train(cfg)
    assert (tmp_path / "pseudo_labels" / "epoch_2.npz").is_file()
    log = Path(runner.log_dir, f"{runner.timestamp}.log").read_text()
    assert "carries no pseudo-labels" in log and "Clustering before the first epoch" in log
