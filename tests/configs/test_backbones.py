"""SLIC and finetuning with every family of backbones, by the configs of ``configs/backbones``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import mmaction
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from slic_mmaction.backbones.required import missing_package
from slic_mmaction.backbones.trial import try_pretraining, try_retrieval
from slic_mmaction.compat.checkpoints import load_from_local

FOLDER = Path(__file__).parents[2] / "configs" / "backbones"
# What --cfg-options or a config may say about initial weights is no other network.
INITIAL = {"pretrained", "pretrained2d", "clip_pretrained", "init_cfg"}
ZOO = "mmaction::_base_/models/{}.py"
# The zoo's file of the network where it has one. That the networks themselves can be built is
# tested with the table, tests/backbones/test_table_is_current.py.
FAMILIES: dict[str, str | None] = {
    "c2d": ZOO.format("c2d_r50"),
    "c3d": ZOO.format("c3d_sports1m_pretrained"),
    "csn": ZOO.format("ircsn_r152"),
    "i3d": ZOO.format("i3d_r50"),
    "mmpretrain_resnext": None,
    "mobilenet_v2": None,
    "mobilenet_v2_tsm": ZOO.format("tsm_mobilenet_v2"),
    "mobileone_tsm": ZOO.format("tsm_mobileone_s4"),
    "mvit": ZOO.format("mvit_small"),
    "omni_resnet": (
        "mmaction::recognition/omnisource/slowonly_r50_8xb16-8x8x1-256e_imagenet-kinetics400-rgb.py"
    ),
    "r2plus1d": ZOO.format("r2plus1d_r34"),
    "r3d50": None,
    "slowfast": ZOO.format("slowfast_r50"),
    "slowonly": ZOO.format("slowonly_r50"),
    "swin": ZOO.format("swin_tiny"),
    "tanet": ZOO.format("tanet_r50"),
    "timesformer": (
        "mmaction::recognition/timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb.py"
    ),
    "timm_swin": None,
    "tin": ZOO.format("tin_r50"),
    "torchvision_densenet": None,
    "tsm": ZOO.format("tsm_r50"),
    "tsn": ZOO.format("tsn_r50"),
    "uniformer": (
        "mmaction::recognition/uniformer/uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb.py"
    ),
    "uniformerv2": (
        "mmaction::recognition/uniformerv2/"
        "uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb.py"
    ),
    "videomae": (
        "mmaction::recognition/videomae/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400.py"
    ),
    "x3d": ZOO.format("x3d"),
}


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope("mmaction")


@functools.cache
def load(name: str) -> Config:
    return Config.fromfile(FOLDER / f"{name}.py")


def skip_without_its_package(cfg: Config) -> None:
    package = missing_package(cfg.model.backbone.type)
    if package is not None:
        pytest.skip(f"{cfg.model.backbone.type} needs {package}, which is not installed")


def clip_of(pipeline: list[dict]) -> dict[str, Any]:
    """Length, interval, side and layout of the clips that a pipeline makes."""
    steps = {step["type"]: step for step in pipeline}
    sampler = next(step for kind, step in steps.items() if kind.startswith("Sample"))
    crops = [steps[kind] for kind in ("ClipAugment", "CenterCrop", "TenCrop") if kind in steps]
    return dict(
        # SLIC's own transforms take the paper's clips where nothing is said.
        clip_len=sampler.get("clip_len", 16),
        frame_interval=sampler.get("frame_interval", 1),
        side=crops[0].get("size", crops[0].get("crop_size")),
        layout=steps["FormatShape"]["input_format"],
    )


def pipelines(cfg: Config) -> list[list[dict]]:
    found = [cfg[f"{part}_dataloader"].dataset.pipeline for part in ("train", "val", "test")]
    return found + [h.pipeline for h in cfg.custom_hooks if h.type == "PseudoLabelHook"]


def test_every_config_is_of_a_family() -> None:
    names = {path.stem for path in FOLDER.glob("*_ucf101.py") if "slim" not in path.stem}
    names -= {"zoo_swin_ucf101"}
    assert names == {
        f"{kind}_{family}_ucf101" for kind in ("slic", "finetune") for family in FAMILIES
    }


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_clips_go_with_the_network(path: Path) -> None:
    cfg = load(path.stem)
    (clip, *others) = [clip_of(pipeline) for pipeline in pipelines(cfg)]
    assert all(other == clip for other in others)
    in_2d = cfg.model.type == "Recognizer2D"
    assert clip["layout"] == ("NCHW" if in_2d else "NCTHW")
    assert cfg.model.data_preprocessor.get("format_shape", "NCHW") == clip["layout"]
    segments = [
        part["num_segments"]
        for part in (cfg.model.backbone, cfg.model.cls_head)
        if "num_segments" in part
    ]
    assert all(number == clip["clip_len"] for number in segments)
    if cfg.model.cls_head.type == "SLICHead":
        assert ("num_segments" in cfg.model.cls_head) is in_2d
    for pipeline in pipelines(cfg):
        Compose(pipeline)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_config_is_the_zoos_network_under_another_head(family: str) -> None:
    slic, finetuning = load(f"slic_{family}_ucf101"), load(f"finetune_{family}_ucf101")
    for part in ("type", "backbone", "data_preprocessor"):
        assert finetuning.model[part] == slic.model[part]
    assert clip_of(pipelines(slic)[0]) == clip_of(pipelines(finetuning)[0])
    zoo = FAMILIES[family]
    if zoo is None:
        return
    installed = Path(mmaction.__file__).parent / ".mim" / "configs" / zoo.split("::")[1]
    theirs = Config.fromfile(installed).model
    ours = {key: value for key, value in slic.model.backbone.items() if key not in INITIAL}
    assert ours == {key: value for key, value in theirs.backbone.items() if key not in INITIAL}
    for value in ("mean", "std"):
        assert slic.model.data_preprocessor[value] == theirs.data_preprocessor[value]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_pretraining_retrieval_and_finetuning(family: str, small_backbone) -> None:
    cfg = small_backbone(f"slic_{family}_ucf101")
    skip_without_its_package(cfg)
    try_pretraining(cfg)
    assert try_retrieval(cfg)

    finetuning = small_backbone(f"finetune_{family}_ucf101")
    finetuning.load_from = f"{cfg.work_dir}/epoch_1.pth"
    pretrained = load_from_local(finetuning.load_from, "cpu")["state_dict"]
    finetuning.model.cls_head.in_channels = pretrained["cls_head.projection.0.weight"].shape[1]
    runner = Runner.from_cfg(finetuning)
    runner.load_or_resume()
    backbone = runner.model.backbone.state_dict()
    assert backbone and all(
        torch.equal(tensor, pretrained[f"backbone.{name}"]) for name, tensor in backbone.items()
    )
    runner.train()
    assert (runner.epoch, runner.iter) == (1, 2)
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())
    # Several clips and ten crops of each.
    assert 0 <= runner.test()["finetune/10clip_tencrop/top1"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*_slim_*.py")))
def test_the_networks_for_a_cpu_are_built(name: str) -> None:
    cfg = load(name)
    model = MODELS.build(cfg.model)
    clip = clip_of(pipelines(cfg)[0])
    shape = (clip["clip_len"], clip["side"], clip["side"])
    views = torch.zeros(1, 1, 3, *shape)
    if clip["layout"] == "NCHW":
        views = views[0].transpose(1, 2)
    with torch.no_grad():
        model.eval()
        feats, _ = model.extract_feat(views)
        assert model.cls_head(feats).shape == (1, 128)
