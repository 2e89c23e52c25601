"""Shipped configs, each read once, and made small enough to run on generated videos."""

from __future__ import annotations

import copy
import functools
import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import mmengine
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import nn
from torch.overrides import TorchFunctionMode

from slic_mmaction.pseudo_labels.descriptors import Descriptors, save_descriptors

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"


@pytest.fixture(scope="session")
def load() -> Callable[[str], Config]:
    """Read a config by its path below ``configs/``; do not change what is returned."""

    @functools.cache
    def read(name: str) -> Config:
        with pytest.MonkeyPatch.context() as patch:
            # A config that begins with one of MMAction2's has all of its zoo's index read.
            patch.setattr(mmengine.config.utils, "load", read_index)
            return Config.fromfile(CONFIGS / name)

    read_index = functools.cache(mmengine.config.utils.load)
    return read


@pytest.fixture(scope="session")
def trial() -> Iterator[ModuleType]:
    """``tools/dev/backbone_trial.py``."""
    sys.path.insert(0, str(ROOT / "tools" / "dev"))
    yield importlib.import_module("backbone_trial")
    sys.path.pop(0)


class _RealNumbers(TorchFunctionMode):
    """Rates of stochastic depth have values even where tensors have none."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(
            *args, **dict(kwargs or {}, **({"device": "cpu"} if func is torch.linspace else {}))
        )


@pytest.fixture(scope="session")
def build() -> Callable[[Config], nn.Module]:
    """Build a model at its full width, without memory and arithmetic where that is possible."""

    def make(model: Config) -> nn.Module:
        if model.backbone.type == "TANet":  # copies values
            return MODELS.build(copy.deepcopy(model))
        with torch.device("meta"), _RealNumbers():
            return MODELS.build(copy.deepcopy(model))

    return make


@pytest.fixture
def cheap_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request) -> None:
    """Runs in a folder of their own, without what costs most of the time of a tiny one.

    That is the layout of the config's text, and looking for garbage in all of the process after
    each data set is built; and every parameter's initialisation is logged.
    """
    monkeypatch.chdir(tmp_path)  # some configs name files that they write
    monkeypatch.setattr(Config, "pretty_text", property(repr))
    monkeypatch.setattr(gc, "collect", lambda: 0)
    MMLogger.get_instance(request.node.name, log_level="ERROR")


@pytest.fixture
def stand_in(load, trial, cheap_runs, video_set: Path, tmp_path: Path) -> Callable[[str], Config]:
    """Copy a config, made small; its structure, losses and schedule stay."""
    rng = np.random.default_rng(0)
    names = sorted(path.stem for path in video_set.glob("*.mp4"))
    rows = {name: rng.normal(size=8).astype(np.float32) for name in names}
    save_descriptors(tmp_path / "motion.npz", Descriptors(rows, {}))
    values = dict(
        trial.small_values(video_set, tmp_path, frames=4, pixels=16),
        num_segments=None,
        num_clusters=3,
        group_pattern=None,  # generated videos have no groups
        descriptors=str(tmp_path / "motion.npz"),
        source=lambda source: "dis" if source == "files" else source,  # flow without files
    )

    def make(name: str) -> Config:
        cfg = copy.deepcopy(load(name))
        trial.replace_values(cfg._cfg_dict, values)
        cfg.model.backbone.base_channels = 4
        cfg.model.cls_head.in_channels = 32
        cfg.work_dir, cfg.experiment_name = str(tmp_path / "work"), tmp_path.name
        cfg.vis_backends = [dict(type="LocalVisBackend")]
        cfg.visualizer.vis_backends = cfg.vis_backends
        cfg.randomness = dict(seed=0)
        return cfg

    return make


@pytest.fixture(scope="session")
def few_videos(video_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 6 training and 2 test videos: many networks cannot be made cheap."""
    folder = tmp_path_factory.mktemp("few")
    for split, count in (("train", 6), ("test", 2)):
        lines = (video_set / f"{split}.txt").read_text().splitlines(keepends=True)[:count]
        (folder / f"{split}.txt").write_text("".join(lines))
        for line in lines:
            (folder / line.split()[0]).symlink_to(video_set / line.split()[0])
    return folder


def narrow_c3d(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give C3D, which has no setting for it, a sixteenth of its width."""

    c3d = importlib.import_module("mmaction.models.backbones.c3d")

    class NarrowConv(c3d.ConvModule):
        def __init__(self, ins: int, outs: int, **options: Any) -> None:
            super().__init__(max(ins // 16, 3), outs // 16, **options)

    class NarrowLinear(nn.Linear):
        def __init__(self, ins: int, outs: int) -> None:
            super().__init__(ins // 16, outs // 16)

    monkeypatch.setattr(c3d, "ConvModule", NarrowConv)
    monkeypatch.setattr(c3d, "nn", SimpleNamespace(**{**vars(nn), "Linear": NarrowLinear}))


@pytest.fixture
def small_backbone(load, trial, cheap_runs, few_videos: Path, tmp_path: Path, monkeypatch):
    """Copy a config of ``configs/backbones``, made small."""
    narrow_c3d(monkeypatch)

    def make(name: str) -> Config:
        family = name.removeprefix("slic_").removeprefix("finetune_").removesuffix("_ucf101")
        cfg = copy.deepcopy(load(f"backbones/{name}.py"))
        cfg = trial.small_run(cfg, family, few_videos, tmp_path / name)
        cfg.train_dataloader.batch_size = 3
        if name == "slic_c3d_ucf101":
            cfg.model.cls_head.in_channels = 4096 // 16
        cfg.default_hooks.checkpoint.save_optimizer = False
        if not name.startswith("slic"):
            cfg.test_dataloader.dataset.indices = 1  # ten crops of each clip
        return cfg

    return make
