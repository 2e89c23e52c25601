from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from slic_mmaction.results.protocol_of import Setting, setting_of, views_of

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    ("name", "loader", "expected"),
    [
        ("retrieval/slic_r3d_ucf101.py", "test", Setting("ucf101", "1", "iic")),
        ("slic_r3d_ucf101.py", "val", Setting("ucf101", "1", "center")),
        ("slic_r3d_k400.py", "val", Setting("kinetics400", "-", "center")),
        (
            "slic_r3d_slim_ucf101.py",
            "val",
            Setting("ucf101", "1", "iic_4-clips_8-frames_interval-2_56px"),
        ),
        ("finetune/slic_r3d_ucf101.py", "test", Setting("ucf101", "1", "10clip_tencrop")),
        ("finetune/slic_r3d_ucf101.py", "val", Setting("ucf101", "1", "center")),
        ("finetune/slic_r3d_hmdb51_split3.py", "test", Setting("hmdb51", "3", "10clip_tencrop")),
        ("finetune/slic_r3d_k400_10clip.py", "test", Setting("kinetics400", "-", "10clip")),
    ],
)
def test_shipped_configs(name: str, loader: str, expected: Setting) -> None:
    assert setting_of(Config.fromfile(CONFIGS / name), f"{loader}_dataloader") == expected


@pytest.mark.parametrize("path", sorted((CONFIGS / "finetune").glob("*.py")), ids=lambda p: p.stem)
def test_finetuning_logs_the_protocol_that_it_uses(path: Path) -> None:
    cfg = Config.fromfile(path)
    for part in ("val", "test"):
        kind, _, protocol = cfg[f"{part}_evaluator"].prefix.partition("/")
        assert kind == "finetune"
        assert setting_of(cfg, f"{part}_dataloader").views.startswith(protocol)


def test_a_gallery_of_another_data_set_is_named() -> None:
    cfg = Config.fromfile(CONFIGS / "retrieval" / "slic_r3d_ucf101.py")
    cfg.test_dataloader.dataset.query.ann_file = "data/hmdb51/hmdb51_val_split_2_videos.txt"
    setting = setting_of(cfg, "test_dataloader")
    assert (setting.data, setting.split) == ("hmdb51 in ucf101", "2 in 1")
    cfg.test_dataloader.dataset.gallery.ann_file = "my_videos.csv"
    assert setting_of(cfg, "test_dataloader").data == "hmdb51 in my_videos"


def test_what_departs_from_a_protocol_is_said() -> None:
    sampler = dict(type="SampleFrames", clip_len=8, frame_interval=2, num_clips=3, test_mode=True)
    crop = dict(type="ThreeCrop", crop_size=112)
    assert views_of([sampler, crop]) == "3clip_threecrop_8-frames_interval-2_112px"
    iic = dict(type="SampleProtocolClips", protocol="iic")
    center = dict(type="CenterCrop", crop_size=128)
    assert views_of([iic, center]) == "iic"
    assert views_of([iic, center], feature="backbone") == "iic_backbone-feature"
    assert views_of([iic, dict(center, crop_size=64)]) == "iic_64px"
    assert views_of([]) == ""
