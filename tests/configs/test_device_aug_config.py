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
    for cfg in (device, host):
        cfg.pop("train_pipeline", None)
        pipeline = cfg["train_dataloader"]["dataset"].pop("pipeline")
        crop = next(s for s in pipeline if s["type"] in ("ClipRandomResizedCrop", "ClipAugment"))
        assert crop["size"] == 128 and crop["area_range"] == (0.25, 1.0)
    assert device == host


def test_its_workers_only_crop_and_keep_the_modalities() -> None:
    cfg = Config.fromfile(CONFIGS / "slic_r3d_ucf101_device_aug.py")
    pipeline = cfg.train_dataloader.dataset.pipeline
    ours = [step.type for step in pipeline if step.type.startswith("Clip")]
    assert ours == ["ClipRandomResizedCrop"]
    assert "modalities" in pipeline[-1].meta_keys
