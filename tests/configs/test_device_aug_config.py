"""The device variant augments as the paper's recipe does."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from slic_mmaction.transforms.clip_draws import Appearance

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_device_variant_differs_in_the_place_of_augmentation_only() -> None:
    device = Config.fromfile(CONFIGS / "slic_r3d_ucf101_device_aug.py").to_dict()
    host = Config.fromfile(CONFIGS / "slic_r3d_ucf101.py").to_dict()
    preprocessor = device["model"].pop("data_preprocessor")
    normalise = host["model"].pop("data_preprocessor")
    assert Appearance(**preprocessor.pop("augment")) == Appearance()
    assert preprocessor.pop("type") == "SLICDataPreprocessor"
    assert preprocessor == {key: normalise[key] for key in ("mean", "std", "format_shape")}
    pipelines = []
    for cfg in (device, host):
        cfg.pop("train_pipeline", None)
        pipelines.append(cfg["train_dataloader"]["dataset"].pop("pipeline"))
    assert device == host
    ours, theirs = pipelines
    crop = dict(type="ClipAugment", size=128, area_range=(0.25, 1.0))
    assert ours[3] == dict(crop, on_device=True)
    assert crop.items() <= theirs[3].items()
    assert ours.pop()["meta_keys"] == ("modalities", "clip_draws")
    assert ours[:3] + ours[4:] == theirs[:3] + theirs[4:-1]
