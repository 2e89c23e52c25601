"""Every shipped config builds, and the paper's configs hold the paper's values."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS, TASK_UTILS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

CONFIGS = Path(__file__).parents[2] / "configs"
# Those of configs/backbones are tried in test_backbones.py.
EXPERIMENTS = sorted(
    path.relative_to(CONFIGS)
    for path in CONFIGS.rglob("*.py")
    if not {"_base_", "backbones"} & set(path.parts)
)


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope("mmaction")


def load(name: str | Path) -> Config:
    return Config.fromfile(CONFIGS / name)


def steps(pipeline: list[dict]) -> dict[str, dict]:
    return {step["type"]: step for step in pipeline}


@pytest.mark.parametrize("name", EXPERIMENTS, ids=str)
def test_every_config_builds(name: Path) -> None:
    cfg = load(name)
    assert cfg.default_scope == "mmaction" and cfg.custom_imports.imports[0] == "slic_mmaction"
    model = MODELS.build(cfg.model)
    assert model.cls_head.in_channels == cfg.model.cls_head.in_channels
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        if cfg.get(loader):
            Compose(cfg[loader].dataset.pipeline)
    for hook in cfg.get("custom_hooks", []):
        if hook.type == "PseudoLabelHook" and hook.clusterer is not None:
            TASK_UTILS.build(hook.clusterer)
            Compose(hook.pipeline)


def test_the_papers_ucf101_recipe() -> None:
    cfg = load("slic_r3d_ucf101.py")
    train = cfg.train_dataloader
    assert train.batch_size == 32 and train.dataset.p_same_video == 0.2
    assert cfg.optim_wrapper.optimizer == dict(type="SGD", lr=0.1, momentum=0.5, weight_decay=0.0)
    assert cfg.param_scheduler == [] and cfg.train_cfg.max_epochs == 600
    view = steps(train.dataset.pipeline)
    assert view["SampleViewFrames"]["clip_len"] == 16
    assert view["ClipAugment"] == dict(
        type="ClipAugment",
        size=128,
        area_range=(0.25, 1.0),
        flip_prob=0.5,
        brightness=0.5,
        contrast=0.5,
        saturation=0.5,
        hue=0.5,
        jitter_prob=0.8,
        gray_prob=0.2,
        blur_kernel=15,
        blur_sigma=2.0,
        blur_prob=0.2,
    )
    (hook,) = cfg.custom_hooks
    assert hook.interval == 5 and hook.clusterer == dict(type="FINCH", level=0)
    assert "begin" not in hook  # no warm-up
    triplet, temporal = cfg.model.cls_head.losses
    assert triplet.margin == 0.2 and triplet.mining == "random_violating"
    assert temporal.margin == 0.04 and "loss_weight" not in temporal
    head = cfg.model.cls_head
    assert (head.in_channels, head.hidden_channels, head.out_channels) == (512, 2048, 128)
    normalise = cfg.model.data_preprocessor
    mean, std = torch.tensor(normalise.mean) / 255, torch.tensor(normalise.std) / 255
    torch.testing.assert_close(mean, torch.tensor([0.485, 0.456, 0.406]))
    torch.testing.assert_close(std, torch.tensor([0.229, 0.224, 0.225]))


def test_the_papers_evaluation_clip() -> None:
    (hook,) = load("slic_r3d_ucf101.py").custom_hooks
    clip = steps(hook.pipeline)
    assert clip["SampleFrames"]["num_clips"] == 1 and clip["SampleFrames"]["test_mode"]
    assert clip["Resize"]["scale"] == (-1, 128) and clip["CenterCrop"]["crop_size"] == 128


def test_the_papers_retrieval() -> None:
    cfg = load("retrieval/slic_r3d_ucf101.py")
    clips = steps(cfg.test_dataloader.dataset.pipeline)
    assert clips["SampleProtocolClips"]["protocol"] == "iic"
    assert clips["SampleProtocolClips"].get("clip_len", 16) == 16
    assert clips["Resize"]["scale"] == (171, 128) and clips["Resize"]["keep_ratio"] is False
    assert clips["CenterCrop"]["crop_size"] == 128
    assert cfg.test_evaluator.ks == (1, 5, 10, 20, 50)
