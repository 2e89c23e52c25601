"""PseudoLabelHook in real Runners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.registry import HOOKS, TASK_UTILS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..runs import interrupted_at, labels_of, log_of, scalars_of, train


@TASK_UTILS.register_module()
class GrowingGroups:
    """Groups of ``first``, then of ``first + 1``, ... consecutive videos."""

    def __init__(self, first: int) -> None:
        self.size = first - 1

    def __call__(self, embeddings: torch.Tensor) -> np.ndarray:
        self.size += 1
        return np.arange(len(embeddings)) // self.size


@TASK_UTILS.register_module()
class Constant:
    def __init__(self, label: int) -> None:
        self.label = label

    def __call__(self, embeddings: torch.Tensor) -> np.ndarray:
        return np.full(len(embeddings), self.label)


class Record(Hook):
    """Keeps what every batch held."""

    def __init__(self) -> None:
        self.samples: list[tuple] = []
        self.seeds: set[int] = set()

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        for sample in data_batch["data_samples"]:
            videos = tuple(sample.video_indices.tolist())
            self.samples.append((runner.epoch, videos, int(sample.pseudo_label)))
            self.seeds.add(sample.draw_seed)


def use_clusterer(cfg, **clusterer):
    cfg.custom_hooks[0].clusterer = clusterer
    return cfg


def test_workers_see_the_new_labels_in_every_epoch(tiny_config, tmp_path: Path) -> None:
    runs = []
    for workers, persistent in ((0, False), (2, False), (2, True)):
        cfg = tiny_config(tmp_path / f"{workers} {persistent}", train_cfg__max_epochs=3)
        cfg.train_dataloader.update(num_workers=workers, persistent_workers=persistent)
        record = Record()
        runner = train(use_clusterer(cfg, type="GrowingGroups", first=2), record)
        runs.append(record.samples)
    reference = runs[0]
    assert len(reference) == 24
    for epoch, (index, positive, second), label in reference:
        assert label == index // (epoch + 2)
        assert positive // (epoch + 2) == label and second == index
    assert {positive == index for _, (index, positive, _), _ in reference} == {True, False}
    assert runs[1] == reference and runs[2] == reference

    # Pairs, threes, fours: 4 groups of two, then 3, 3 and 2 of 8 videos have 3 pairs in common.
    stability = scalars_of(runner, "cluster/stability")
    chance = 4 * 7 / 28
    assert stability[1] == pytest.approx((3 - chance) / ((4 + 7) / 2 - chance))
    assert set(stability) == {1, 2}
    # A resumed run compares with the clustering of its checkpoint.
    work = interrupted_at(Path(runner.work_dir) / "epoch_1.pth", tmp_path / "resumed")
    cfg = tiny_config(work, resume=True)
    resumed = train(use_clusterer(cfg, type="GrowingGroups", first=2))
    assert scalars_of(resumed, "cluster/stability") == {1: 1}


def test_interval_and_begin(tiny_config, tmp_path: Path) -> None:
    cfg = tiny_config(train_cfg__max_epochs=4)
    cfg.custom_hooks[0].update(interval=2, begin=1)
    runner = train(cfg)
    files = sorted(p.name for p in (Path(cfg.work_dir) / "pseudo_labels").iterdir())
    assert files == ["epoch_1.npz", "epoch_3.npz"]
    for name in ("clusters", "nmi", "ami", "purity", "largest", "median"):
        assert set(scalars_of(runner, f"cluster/{name}")) == {1, 3}
    assert "Clustering before epoch 2: clusters" in log_of(runner)
    # Resumed before its first clustering a run has nothing to compare with.
    work = interrupted_at(Path(cfg.work_dir) / "epoch_1.pth", tmp_path / "resumed")
    cfg = tiny_config(work, resume=True)
    cfg.custom_hooks[0].update(interval=2, begin=1)
    resumed = train(cfg)
    assert set(scalars_of(resumed, "cluster/clusters")) == {1}
    assert not scalars_of(resumed, "cluster/stability")


@pytest.mark.parametrize("hooks", [[], [dict(type="PseudoLabelHook", clusterer=None)]])
def test_training_without_clustering(tiny_config, hooks: list) -> None:
    """Draws follow the epoch without a hook that clusters."""
    cfg = tiny_config(custom_hooks=hooks)
    cfg.train_dataloader.dataset.p_same_video = 1.0
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    record = Record()
    runner = train(cfg, record)
    assert labels_of(runner) == list(range(8))
    store = runner.train_dataloader.dataset.store
    assert (store.seed, store.epoch) == (0, 1)
    assert len(record.seeds) == 16
    assert not (Path(cfg.work_dir) / "pseudo_labels").exists()


class Collapse(Hook):
    """Makes the last layer's output the same for all videos, but for ``rest`` of what it was."""

    def __init__(self, rest: float) -> None:
        self.rest = rest

    def after_train_epoch(self, runner: Runner) -> None:
        last = runner.model.cls_head.projection[-1]
        with torch.no_grad():
            last.weight.mul_(self.rest)
            last.bias.fill_(1)


@pytest.mark.parametrize("rest", [1e-3, 1.0])
def test_a_collapse_is_said_within_one_clustering(tiny_config, rest: float) -> None:
    cfg = use_clusterer(tiny_config(optim_wrapper__optimizer__lr=0.0), type="Constant", label=0)
    lines = log_of(train(cfg, Collapse(rest))).splitlines()
    figures = [line for line in lines if "Embeddings of 8 videos  mean cosine: " in line]
    alike = ["mean cosine: 1.0000" in line for line in figures]
    assert alike == [False, rest < 1]
    warnings = [line for line in lines if "WARNING - The embeddings have collapsed" in line]
    assert len(warnings) == sum(alike)
    # One cluster alone is no collapse.
    assert "All videos are in one cluster" in "\n".join(lines)


def test_weights_that_are_not_finite_stop_the_run_and_noise_alone_does_not(tiny_config) -> None:
    runner = Runner.from_cfg(tiny_config())
    runner.model.init_weights()
    with torch.no_grad():
        runner.model.backbone.conv1.conv.weight.fill_(float("nan"))
    runner.model._is_init = True
    message = r"8 of 8 embeddings are not finite .*train_0\.mp4"
    with pytest.raises(FloatingPointError, match=message):
        runner.train()
    runner = train(use_clusterer(tiny_config(), type="Constant", label=-1))
    assert "Every video is noise" in log_of(runner)
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())


def test_bad_settings_are_named(tiny_config) -> None:
    cfg = tiny_config()
    options: dict[str, Any]
    for options, message in (
        (dict(interval=0), "interval >= 1"),
        (dict(begin=-1), "begin >= 0"),
        (dict(pipeline=[]), "needs a pipeline"),
    ):
        with pytest.raises(ValueError, match=message):
            HOOKS.build(dict(cfg.custom_hooks[0], **options))
    cfg.train_dataloader.dataset = dict(cfg.train_dataloader.dataset.dataset, pipeline=[])
    with pytest.raises(TypeError, match="of type ClusterAwareDataset, but it is VideoDataset"):
        train(cfg)
    cfg = tiny_config()
    cfg.train_cfg = dict(by_epoch=False, max_iters=3)
    with pytest.raises(TypeError, match="by_epoch=True"):
        train(cfg)
