"""Every shipped config runs: its datasets, its model, its hooks, its evaluation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[2] / "configs"
# Those of configs/backbones are tried in test_backbones.py.
EXPERIMENTS = sorted(
    path.relative_to(CONFIGS)
    for path in CONFIGS.rglob("*.py")
    if not {"_base_", "backbones"} & set(path.parts)
)
# Configs that repeat another one but for a value, a file name or a number of classes.
VARIANT = re.compile(r"_(p\d\d|interval10|finch_level2|split[23]|hmdb51|k400_10clip)")


def marked(name: Path):
    return pytest.param(name, marks=pytest.mark.slow) if VARIANT.search(name.name) else name


def save_weights(model: dict, path: Path) -> str:
    """Write random weights of a model, for configs that begin from a checkpoint."""
    init_default_scope("mmaction")
    torch.save(dict(meta={}, state_dict=MODELS.build(model).state_dict()), path)
    return str(path)


def pretraining_of(cfg: Config) -> dict:
    """The model whose checkpoint a finetuning starts from: the same backbone under SLIC's head."""
    slic = Config.fromfile(CONFIGS / "_base_" / "models" / "slic_r3d18.py").model
    slic.backbone = cfg.model.backbone
    slic.cls_head.update(in_channels=cfg.model.cls_head.in_channels, hidden_channels=16)
    return slic


@pytest.mark.parametrize("name", map(marked, EXPERIMENTS), ids=str)
def test_one_iteration_and_one_evaluation(stand_in, name: Path, tmp_path: Path) -> None:
    cfg = stand_in(name)
    hooks = {hook.type for hook in cfg.get("custom_hooks") or []}
    if cfg.get("train_cfg"):
        # The training set has two batches; one iteration is enough.
        cfg.train_dataloader.batch_size = 8
        cfg.train_cfg.max_epochs = cfg.train_cfg.val_interval = 1
        if "BackboneLoadingHook" in hooks:
            cfg.load_from = save_weights(pretraining_of(cfg), tmp_path / "slic.pth")
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert (runner.epoch, runner.iter) == (1, 1)
        assert all(torch.isfinite(p).all() for p in runner.model.parameters())
        evaluated = any(name.startswith("val/") for name in runner.message_hub.log_scalars)
        assert evaluated or runner.val_loop is None
    if cfg.get("test_cfg"):
        cfg.experiment_name += "-test"
        cfg.load_from = save_weights(cfg.model, tmp_path / "trained.pth")
        metrics = Runner.from_cfg(cfg).test()
        assert metrics and all(value >= 0 for value in metrics.values())
