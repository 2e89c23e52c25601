"""A trial notices what does not work."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from slic_mmaction.backbones import trial

CONFIG = Path(__file__).parents[2] / "configs" / "slic_r3d_slim_ucf101.py"


@pytest.fixture
def small(video_set: Path, tmp_path: Path):
    def make(**overrides: object) -> Config:
        cfg = Config.fromfile(CONFIG)
        for part in ("dataloader", "evaluator"):
            cfg[f"test_{part}"] = cfg[f"val_{part}"]
        cfg.test_cfg = dict(type="TestLoop")
        options = {"model.backbone.base_channels": 4, "model.cls_head.in_channels": 32}
        options.update({key.replace("__", "."): value for key, value in overrides.items()})
        return trial.small_run(cfg, options, (4, 16), video_set, tmp_path / "run")

    return make


def test_only_videos_sizes_and_places_are_others(small, video_set: Path, tmp_path: Path) -> None:
    cfg, real = small(), Config.fromfile(CONFIG)
    assert cfg.optim_wrapper == real.optim_wrapper
    assert cfg.model.cls_head.losses == real.model.cls_head.losses
    assert cfg.train_dataloader.dataset.dataset.ann_file == str(video_set / "train.txt")
    queries, gallery = (cfg.test_dataloader.dataset[part] for part in ("query", "gallery"))
    assert queries.ann_file == str(video_set / "test.txt")
    assert gallery.ann_file == str(video_set / "train.txt")
    hook = cfg.custom_hooks[1]
    assert hook.clusterer == real.custom_hooks[1].clusterer
    for pipeline in (cfg.train_dataloader.dataset.pipeline, hook.pipeline):
        steps = {step.type: step for step in pipeline}
        sampler = steps.get("SampleViewFrames") or steps["SampleFrames"]
        assert sampler.clip_len == 4 and sampler.frame_interval == 2
    assert [step.type for step in hook.pipeline] == [s.type for s in real.custom_hooks[1].pipeline]
    sampler = cfg.test_dataloader.dataset.pipeline[1]
    assert (sampler.protocol, sampler.num_clips) == ("iic", 3)
    assert cfg.work_dir == str(tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (dict(optim_wrapper__optimizer__lr=0.0), "did not change backbone.conv1.conv.weight"),
        (dict(model__backbone__frozen_stages=4), "no weight of the backbone is trained"),
    ],
)
def test_a_backbone_that_does_not_learn(small, overrides: dict, said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        trial.try_pretraining(small(**overrides))


@pytest.mark.slow
def test_no_clustering(small) -> None:
    cfg = small()
    cfg.custom_hooks[1].update(clusterer=None)
    with pytest.raises(RuntimeError, match="no clustering took place"):
        trial.try_pretraining(cfg)


def test_metrics_that_are_no_percentages(monkeypatch: pytest.MonkeyPatch, small) -> None:
    for metrics in ({}, {"retrieval/R@1": float("nan")}, {"retrieval/R@1": 101.0}):
        runner = SimpleNamespace(test=lambda metrics=metrics: metrics)
        monkeypatch.setattr(trial.Runner, "from_cfg", lambda cfg, runner=runner: runner)
        with pytest.raises(RuntimeError, match="the metrics are"):
            trial.try_retrieval(small())
