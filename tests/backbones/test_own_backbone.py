"""The example of docs/own_backbone.md, taken from the page and run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from slic_mmaction.backbones.figures import build_recognizer
from slic_mmaction.backbones.trial import small_run, try_pretraining, try_retrieval

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own_backbone.md").read_text(encoding="utf-8")
MODULE, CONFIG = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
BASE = '_base_ = "slic_r3d_ucf101.py"'


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The module where Python finds it, and the config below our own."""
    assert BASE in CONFIG and len(MODULE.splitlines()) <= 20
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_backbone.py").write_text(MODULE)
    config = folder / "slic_my_backbone_ucf101.py"
    config.write_text(CONFIG.replace(BASE, f'_base_ = "{ROOT}/configs/slic_r3d_ucf101.py"'))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield config


def test_the_width_is_found(written: Path) -> None:
    recognizer = build_recognizer(Config.fromfile(written))
    assert type(recognizer.backbone).__module__ == "my_backbone"
    assert recognizer.cls_head.in_channels == 128
    clips = torch.zeros(2, 3, 4, 32, 32)
    assert recognizer.cls_head(recognizer.backbone(clips)).shape == (2, 128)


@pytest.mark.slow
def test_it_is_pretrained_and_searched_with(written: Path, video_set: Path, tmp_path: Path) -> None:
    evaluation = Config.fromfile(ROOT / "configs" / "retrieval" / "slic_r3d_ucf101.py")
    cfg = Config.fromfile(written)
    for part in ("test_dataloader", "test_evaluator", "test_cfg"):
        cfg[part] = evaluation[part]
    cfg = small_run(cfg, {}, (4, 32), video_set, tmp_path / "run")
    assert len(try_pretraining(cfg)) == 2
    assert {"retrieval/R@1", "retrieval/mAP"} <= set(try_retrieval(cfg))
