from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from slic_mmaction.backbones import examine, required
from slic_mmaction.backbones.examine import Row, config_paths, fingerprint, is_settled

TINY = Path(__file__).parents[1] / "data" / "tiny_slic.py"


@pytest.fixture
def cfg() -> Config:
    return Config.fromfile(TINY)


def row_of(cfg: Config, **known: object) -> Row:
    return Row("slic_tiny_ucf101", cfg.model.backbone.type, fingerprint(cfg), **known)


def test_only_networks_of_full_width_have_rows(tmp_path: Path) -> None:
    for name in ("slic_b_ucf101", "slic_a_ucf101", "slic_a_slim_ucf101", "finetune_a_ucf101"):
        (tmp_path / f"{name}.py").touch()
    assert list(config_paths(tmp_path)) == ["slic_a_ucf101", "slic_b_ucf101"]


def test_a_row_is_settled_until_network_or_clips_change(cfg: Config) -> None:
    row = row_of(cfg)
    assert is_settled(row, cfg)
    cfg.optim_wrapper.optimizer.lr = 1.0
    assert is_settled(row, cfg)
    for change in (
        dict(model=dict(backbone=dict(base_channels=5))),
        dict(model=dict(backbone=dict(type="ResNet3dSlowOnly"))),
        dict(model=dict(neck=dict(type="TPN"))),
    ):
        changed = Config.fromfile(TINY)
        changed.merge_from_dict(change)
        assert not is_settled(row, changed)
    cfg.custom_hooks[0].pipeline[1].clip_len = 8
    assert not is_settled(row, cfg)


def test_a_failure_is_tried_again_and_so_is_a_package_that_came(
    cfg: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_settled(row_of(cfg, problems=dict(retrieval="no")), cfg)
    cfg.model.backbone.type = "timm.resnet"
    row = row_of(cfg, missing="timm")
    for installed in (True, False):
        spec = (lambda name: object()) if installed else (lambda name: None)
        monkeypatch.setattr(required, "find_spec", spec)
        assert is_settled(row, cfg) is not installed
        # Numbers of another machine stay.
        assert is_settled(row_of(cfg), cfg)


def test_the_processor_has_a_name() -> None:
    assert examine.processor()
