"""Any shipped config, made small enough to run one iteration on generated videos."""

from __future__ import annotations

import copy
import gc
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from slic_mmaction.pseudo_labels.descriptors import Descriptors, save_descriptors

CONFIGS = Path(__file__).parents[2] / "configs"
SIDE = 16
# What costs time and is no part of a recipe, by the key of a transform or a part of the model.
WIDTH = 4
SMALL: dict[str, Any] = dict(
    size=SIDE,
    crop_size=SIDE,
    clip_len=4,
    hidden_channels=16,
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
)


def shrink(node: Any, videos: Path, small: dict[str, Any] = SMALL) -> None:
    """Make frames, clips and batches small and put generated videos in the data's place."""
    if isinstance(node, (list, tuple)):
        for child in node:
            shrink(child, videos, small)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in small and isinstance(value, (int, float)):
            node[key] = small[key]
        elif key == "scale":
            node[key] = tuple(side if side < 0 else small["size"] + 4 for side in value)
        elif key == "ann_file":
            node[key] = str(videos / ("train.txt" if "train" in Path(value).name else "test.txt"))
        elif key == "data_prefix":
            node[key] = dict(video=str(videos))
        elif key == "source" and value == "files":
            node[key] = "dis"  # flow without files
        elif key == "cache_dir":
            node[key] = str(videos / "features")
        elif key == "group_pattern":
            node[key] = None  # generated videos have no groups
        elif key == "descriptors":
            node[key] = str(videos / "motion.npz")
        elif key == "num_clusters":
            node[key] = 3
        else:
            shrink(value, videos, small)


@pytest.fixture(scope="session")
def described(video_set: Path) -> None:
    """Descriptors of the generated videos."""
    rng = np.random.default_rng(0)
    names = (path.stem for path in sorted(video_set.glob("*.mp4")))
    rows = {name: rng.normal(size=8).astype(np.float32) for name in names}
    save_descriptors(video_set / "motion.npz", Descriptors(rows, {}))


@pytest.fixture
def stand_in(
    described: None, video_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], Config]:
    """Load a config of ``configs/`` small; its structure, losses and schedule stay."""
    # Some configs name files that they write, below the present folder.
    monkeypatch.chdir(tmp_path)

    def make(name: Path) -> Config:
        cfg = Config.fromfile(CONFIGS / name)
        shrink(cfg._cfg_dict, video_set)
        if cfg.model.backbone.type == "ResNet3d":
            cfg.model.backbone.base_channels = WIDTH
            cfg.model.cls_head.in_channels = 8 * WIDTH
        cfg.work_dir = str(tmp_path / "work")
        cfg.experiment_name = tmp_path.name
        cfg.vis_backends = [dict(type="LocalVisBackend")]
        cfg.visualizer.vis_backends = cfg.vis_backends
        cfg.randomness = dict(seed=0)
        return cfg

    return make


@pytest.fixture(scope="session")
def overrides() -> ModuleType:
    """``tools/analysis/backbone_overrides.py``."""
    path = CONFIGS.parent / "tools" / "analysis" / "backbone_overrides.py"
    spec = importlib.util.spec_from_file_location("backbone_overrides", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small_backbone(
    overrides: ModuleType, video_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Config]:
    """Load a config of ``configs/backbones`` small, the finetuning of a family like itself."""
    monkeypatch.chdir(tmp_path)
    # Most of a Runner's time goes into the layout of the config that it logs, and into looking for
    # garbage in all of the process after each dataset that it builds.
    monkeypatch.setattr(Config, "pretty_text", property(repr))
    monkeypatch.setattr(gc, "collect", lambda: 0)

    def make(name: str) -> Config:
        cfg = Config.fromfile(CONFIGS / "backbones" / f"{name}.py")
        family = name.replace("finetune_", "slic_")
        options = copy.deepcopy(overrides.SMALL[family])
        frames, pixels = overrides.CLIPS.get(family, overrides.USUAL_CLIP)
        if name != family:
            segments = options.pop("model.cls_head.num_segments", None)
            options.pop("model.cls_head.in_channels", None)
            if cfg.model.cls_head.type == "TSMHead":
                options["model.cls_head.num_segments"] = segments
        cfg.merge_from_dict(options)
        sizes = dict(size=pixels, crop_size=pixels, clip_len=frames)
        shrink(cfg._cfg_dict, video_set, dict(SMALL, **sizes))
        for loader in (cfg.val_dataloader, cfg.test_dataloader):
            for step in loader.dataset.pipeline:
                if step.get("num_clips", 0) > 1 or step.get("protocol") == "iic":
                    step["num_clips"] = 2
        if "cache_dir" in cfg.test_cfg:
            cfg.test_cfg.cache_dir = str(tmp_path / "features")
        else:
            cfg.test_dataloader.dataset.indices = 1  # ten crops of each clip
        cfg.train_cfg.update(max_epochs=1, val_interval=1)
        cfg.default_hooks.checkpoint.save_optimizer = False
        cfg.work_dir, cfg.experiment_name = str(tmp_path / name), f"{tmp_path.name}-{name}"
        cfg.visualizer.vis_backends = [dict(type="LocalVisBackend")]
        cfg.log_level = "ERROR"
        cfg.randomness = dict(seed=0)
        return cfg

    return make
