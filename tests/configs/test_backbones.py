"""SLIC and finetuning with every family of backbones, by the configs of ``configs/backbones``."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import mmaction
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner import Runner
from torch import Tensor, nn

from slic_mmaction.compat.checkpoints import load_from_local
from slic_mmaction.evaluation import load_features

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "backbones"
ROWS = json.loads((ROOT / "benchmarks" / "results" / "backbones.json").read_text())
# What --cfg-options or a config may say about initial weights is no other network.
INITIAL = {"pretrained", "pretrained2d", "clip_pretrained", "init_cfg"}
FAMILIES = sorted(
    path.stem.removeprefix("slic_").removesuffix("_ucf101")
    for path in FOLDER.glob("slic_*_ucf101.py")
    if "slim" not in path.stem
)
# The zoo's file of networks that the configs do not inherit; of the others it is their base.
COPIES = dict(
    omni_resnet="omnisource/slowonly_r50_8xb16-8x8x1-256e_imagenet-kinetics400-rgb",
    timesformer="timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb",
    uniformer="uniformer/uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb",
    uniformerv2="uniformerv2/uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb",
    videomae="videomae/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400",
)


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


def skip_without_its_package(trial, cfg: Config) -> None:
    package = trial.missing_package(cfg.model.backbone.type)
    if package is not None:
        pytest.skip(f"{cfg.model.backbone.type} needs {package}, which is not installed")


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_clips_go_with_the_network(name: str, load) -> None:
    cfg = load(f"backbones/{name}.py")
    (clip, *others) = [clip_of(pipeline) for pipeline in pipelines(cfg)]
    assert all(other == clip for other in others)
    in_2d = cfg.model.type == "Recognizer2D"
    assert clip["layout"] == ("NCHW" if in_2d else "NCTHW")
    assert cfg.model.data_preprocessor.get("format_shape", "NCHW") == clip["layout"]
    for part in (cfg.model.backbone, cfg.model.cls_head):
        assert part.get("num_segments", clip["clip_len"]) == clip["clip_len"]
    if cfg.model.cls_head.type == "SLICHead":
        assert ("num_segments" in cfg.model.cls_head) is in_2d
    for pipeline in pipelines(cfg):
        Compose(pipeline)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_config_is_the_zoos_network_under_another_head(family: str, load) -> None:
    slic = load(f"backbones/slic_{family}_ucf101.py")
    finetuning = load(f"backbones/finetune_{family}_ucf101.py")
    for part in ("type", "backbone"):
        assert finetuning.model[part] == slic.model[part]
    normalise = [dict(c.model.data_preprocessor, augment=None) for c in (slic, finetuning)]
    assert normalise[0] == normalise[1]
    assert clip_of(pipelines(slic)[0]) == clip_of(pipelines(finetuning)[0])
    if family in COPIES:
        zoo = f"recognition/{COPIES[family]}.py"
    else:
        text = (FOLDER / f"slic_{family}_ucf101.py").read_text()
        zoo = "".join(re.findall(r'"mmaction::([^"]+)"', text))
    if not zoo or (zoo == "_base_/models/tsn_r50.py" and family != "tsn"):
        return  # one that the zoo does not have, or another network in TSN's recognizer
    installed = Path(mmaction.__file__).parent / ".mim" / "configs" / zoo
    theirs = Config.fromfile(installed).model
    ours = {key: value for key, value in slic.model.backbone.items() if key not in INITIAL}
    assert ours == {key: value for key, value in theirs.backbone.items() if key not in INITIAL}
    for value in ("mean", "std"):
        assert slic.model.data_preprocessor[value] == theirs.data_preprocessor[value]


@pytest.mark.parametrize("row", [pytest.param(row, id=row["config"]) for row in ROWS])
def test_a_row_of_the_table_is_of_its_config(row: dict, load, trial, build) -> None:
    cfg = load(f"backbones/{row['config']}.py")
    again = "run python tools/dev/backbone_table.py"
    assert row.items() >= importlib.import_module("backbone_table").identity(cfg).items(), again
    skip_without_its_package(trial, cfg)
    model = build(cfg.model)
    assert model.cls_head.in_channels == row["width"], again
    assert sum(p.numel() for p in model.backbone.parameters()) == row["parameters"], again


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*_slim_*.py")))
def test_the_networks_for_a_cpu_are_built(name: str, load, build) -> None:
    cfg = load(f"backbones/{name}.py")
    clip = clip_of(pipelines(cfg)[0])
    views = torch.zeros(1, 1, 3, clip["clip_len"], clip["side"], clip["side"], device="meta")
    if clip["layout"] == "NCHW":
        views = views[0].transpose(1, 2)
    model = build(cfg.model)
    model.eval()
    feats, _ = model.extract_feat(views)
    assert model.cls_head(feats).shape == (1, 128)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_pretraining_retrieval_and_finetuning(family: str, small_backbone, trial) -> None:
    cfg = small_backbone(f"slic_{family}_ucf101")
    skip_without_its_package(trial, cfg)
    trial.try_pretraining(cfg)
    assert trial.try_retrieval(cfg)

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


class Spy(nn.Module):
    """In the place of the losses: keeps what they get."""

    def forward(self, embeddings: Tensor, labels: Tensor, generator: object) -> dict[str, Tensor]:
        self.embeddings = embeddings
        return dict(loss=embeddings.sum())


def embed_alone(model: nn.Module, clip: Tensor) -> Tensor:
    with torch.no_grad():
        (sample,) = model.test_step(dict(inputs=[clip], data_samples=[ActionDataSample()]))
    return sample.embedding


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mobilenet_v2_tsm", "slowfast", "swin", "mvit"])
def test_views_and_clips_are_not_mixed(family: str, small_backbone, tmp_path: Path) -> None:
    """A view is embedded as if alone, and a video as the mean of its clips, in 2D and 3D."""
    cfg = small_backbone(f"slic_{family}_ucf101")
    for step in cfg.test_dataloader.dataset.pipeline:
        if step.type == "SampleProtocolClips":
            step.num_clips = 4
    cfg.test_cfg.clips_per_pass = 3  # passes begin and end within videos
    runner = Runner.from_cfg(cfg)
    model, spy = runner.model, Spy()
    runner.train_loop.dataloader.dataset.store.start_epoch(seed=0, epoch=0)
    batch = next(iter(runner.train_dataloader))
    # Without statistics of a batch, deep networks answer all inputs the same.
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        model.train()
        model(**model.data_preprocessor(batch, training=False))
        model.eval()
        model.cls_head.losses = nn.ModuleList([spy])
        model(**model.data_preprocessor(batch, training=False), mode="loss")
    assert len(batch["inputs"]) > 1 and spy.embeddings.shape[:2] == (len(batch["inputs"]), 3)
    for views, embeddings in zip(batch["inputs"], spy.embeddings):
        alone = torch.stack([embed_alone(model, view) for view in views.chunk(3)])
        assert (alone[0] - alone[1]).abs().max() > 1e-2
        torch.testing.assert_close(embeddings, alone, rtol=1e-4, atol=1e-4)

    runner.test()
    separate: dict[str, Tensor] = {}
    together: dict[str, Tensor] = {}
    for batch in runner.test_dataloader:
        assert len(batch["inputs"]) > 1
        for views, sample in zip(batch["inputs"], batch["data_samples"]):
            clips = views.split(model.cls_head.num_segments or 1)
            assert len(clips) == 4
            separate[sample.video] = torch.stack([embed_alone(model, clip) for clip in clips])
        with torch.no_grad():
            samples = model.test_step(batch)
        together.update((sample.video, sample.embedding) for sample in samples)
    # Of a video of one or two clips' length all clips are nearly the same, of others not.
    assert max((rows - rows[0]).abs().max() for rows in separate.values()) > 1e-2

    # The test itself goes by stored features, of queries and gallery.
    stored: dict[str, Tensor] = {}
    for index in tmp_path.rglob("features/*/index.json"):
        features = load_features(index.parent)
        for name, rows in zip(features.names, features):
            with torch.no_grad():
                stored[name] = model.cls_head.projection(torch.from_numpy(rows.copy())).mean(dim=0)
    assert separate.keys() == together.keys() == stored.keys() and len(separate) == 8
    for name, rows in separate.items():
        for embedding in (together[name], stored[name]):
            torch.testing.assert_close(embedding, rows.mean(dim=0), rtol=1e-4, atol=1e-4)
