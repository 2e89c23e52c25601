"""Any shipped config, made small enough to run one iteration on generated videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

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


def shrink(node: Any, videos: Path) -> None:
    """Make frames, clips and batches small and put generated videos in the data's place."""
    if isinstance(node, (list, tuple)):
        for child in node:
            shrink(child, videos)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in SMALL and isinstance(value, (int, float)):
            node[key] = SMALL[key]
        elif key == "scale":
            node[key] = tuple(side if side < 0 else SIDE + 4 for side in value)
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
        elif key == "num_clusters":
            node[key] = 3
        else:
            shrink(value, videos)


@pytest.fixture
def stand_in(
    video_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
