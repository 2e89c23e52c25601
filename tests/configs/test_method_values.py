"""Configs hold the paper's values, and variants differ in what their names say."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from slic_mmaction.transforms.clip_draws import Appearance

CONFIGS = Path(__file__).parents[2] / "configs"
MAIN, EXACT = "slic_r3d_ucf101.py", "slic_r3d_ucf101_exact.py"
CLASSES = dict(ucf101=101, hmdb51=51, k400=400)


def names(folder: str) -> list[str]:
    """Configs of a folder that claim to be the paper's."""
    paths = (path.name for path in (CONFIGS / folder).glob("*.py"))
    return sorted(f"{folder}/{name}" for name in paths if "slim" not in name)


@functools.cache
def load(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


def steps(pipeline: list[dict]) -> dict[str, dict]:
    return {step["type"]: step for step in pipeline}


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves of nested dicts and lists by their path."""
    if isinstance(node, dict):
        items = [(str(key), value) for key, value in node.items()]
    elif isinstance(node, (list, tuple)) and any(isinstance(child, dict) for child in node):
        items = [(str(number), value) for number, value in enumerate(node)]
    else:
        return {prefix: node}
    leaves: dict[str, Any] = {}
    for key, value in items:
        leaves.update(flat(value, f"{prefix}.{key}" if prefix else key))
    return leaves


def differences(name: str, other: str = MAIN) -> dict[str, Any]:
    """Leaves of a config that are not the other's, None where it has none."""
    # The other keys are variables of the config files, which a run does not look at.
    used = r"(model|\w+_(dataloader|evaluator|cfg|wrapper|scheduler|hooks|imports|scale_lr))\."
    mine, theirs = flat(load(name).to_dict()), flat(load(other).to_dict())
    return {
        path: mine.get(path)
        for path in sorted({*mine, *theirs})
        if re.match(used, path) and mine.get(path) != theirs.get(path)
    }


HOOK = "custom_hooks.0"
KMEANS = {f"{HOOK}.clusterer.level": None, f"{HOOK}.clusterer.num_clusters": 1000}
LOSSES, DATASET = "model.cls_head.losses", "train_dataloader.dataset"
INFO_NCE = {
    f"{LOSSES}.0.type": "PseudoLabelInfoNCELoss",
    f"{LOSSES}.0.temperature": 0.1,
    f"{LOSSES}.0.margin": None,
    f"{LOSSES}.0.mining": None,
}
ABLATIONS: dict[str, dict[str, Any]] = {
    "p00": {"train_dataloader.dataset.p_same_video": 0.0},
    "p02": {},
    "p05": {"train_dataloader.dataset.p_same_video": 0.5},
    "p07": {"train_dataloader.dataset.p_same_video": 0.7},
    "p10": {"train_dataloader.dataset.p_same_video": 1.0},
    "interval1": {f"{HOOK}.interval": 1},
    "interval10": {f"{HOOK}.interval": 10},
    "finch_level1": {f"{HOOK}.clusterer.level": 1},
    "finch_level2": {f"{HOOK}.clusterer.level": 2},
    "kmeans": {f"{HOOK}.clusterer.type": "KMeans", **KMEANS},
    "spherical_kmeans": {f"{HOOK}.clusterer.type": "SphericalKMeans", **KMEANS},
    "no_temporal_loss": {
        f"model.cls_head.losses.1.{key}": None for key in ("type", "margin", "loss_weight")
    },
    "no_clustering": {"train_dataloader.dataset.p_same_video": 1.0},
    "info_nce": INFO_NCE,
    "info_nce_no_clustering": {**INFO_NCE, f"{DATASET}.p_same_video": 1.0},
    "info_nce_queue": {
        **INFO_NCE,
        f"{LOSSES}.0.queue_size": 2048,
        f"{LOSSES}.0.channels": 128,
        "custom_hooks.1.type": "EmbeddingQueueHook",
    },
    "relative_speed": {
        f"{LOSSES}.2.type": "RelativeSpeedLoss",
        f"{LOSSES}.2.margin": 0.1,
        f"{DATASET}.extra_views": ["fast_positive"],
    },
    "intra_negatives": {
        f"{LOSSES}.2.type": "IntraVideoNegativeLoss",
        f"{LOSSES}.2.margin": 0.04,
        f"{LOSSES}.2.loss_weight": 0.4,
        f"{DATASET}.extra_views": ["shuffled_anchor"],
    },
    "UPPER_BOUND_true_labels": {
        f"{HOOK}.type": "TrueLabelsUpperBoundHook",
        "custom_imports.imports": ["slic_mmaction", "slic_mmaction.hooks.true_labels_upper_bound"],
    },
}


def test_the_papers_ucf101_recipe() -> None:
    cfg = load(EXACT)  # the other does the same in another place and precision
    train = cfg.train_dataloader
    assert train.batch_size == 32 and train.dataset.p_same_video == 0.2
    assert cfg.optim_wrapper.optimizer == dict(type="SGD", lr=0.1, momentum=0.5, weight_decay=0.0)
    assert cfg.param_scheduler == [] and cfg.train_cfg.max_epochs == 600
    view = steps(train.dataset.pipeline)
    assert view["SampleViewFrames"]["clip_len"] == 16
    assert view["ClipAugment"] == dict(
        **dict(type="ClipAugment", size=128, area_range=(0.25, 1.0), flip_prob=0.5),
        **dict(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.5, jitter_prob=0.8),
        **dict(gray_prob=0.2, blur_kernel=15, blur_sigma=2.0, blur_prob=0.2),
    )
    (hook,) = cfg.custom_hooks
    assert hook.interval == 5 and hook.clusterer == dict(type="FINCH", level=0)
    assert "begin" not in hook  # no warm-up
    triplet, temporal = cfg.model.cls_head.losses
    assert triplet.margin == 0.2 and triplet.mining == "random_violating"
    assert temporal.margin == 0.04 and "loss_weight" not in temporal
    head = cfg.model.cls_head
    assert (head.in_channels, head.hidden_channels, head.out_channels) == (512, 2048, 128)
    normalise = cfg.model.data_preprocessor
    assert [v / 255 for v in normalise.mean] == pytest.approx([0.485, 0.456, 0.406])
    assert [v / 255 for v in normalise.std] == pytest.approx([0.229, 0.224, 0.225])
    clip = steps(hook.pipeline)
    assert clip["SampleFrames"]["num_clips"] == 1 and clip["SampleFrames"]["test_mode"]
    assert clip["Resize"]["scale"] == (-1, 128) and clip["CenterCrop"]["crop_size"] == 128


def test_the_papers_retrieval() -> None:
    cfg = load("retrieval/slic_r3d_ucf101.py")
    clips = steps(cfg.test_dataloader.dataset.pipeline)
    assert clips["SampleProtocolClips"]["protocol"] == "iic"
    assert clips["SampleProtocolClips"].get("clip_len", 16) == 16
    assert clips["Resize"]["scale"] == (171, 128) and clips["Resize"]["keep_ratio"] is False
    assert clips["CenterCrop"]["crop_size"] == 128
    assert cfg.test_evaluator.ks == (1, 5, 10, 20, 50)


def test_flow_is_added_right_after_decoding() -> None:
    flow, rgb = load("slic_r3d_ucf101_flow.py"), load(MAIN)
    pipeline = list(flow.train_dataloader.dataset.pipeline)
    at = [step["type"] for step in pipeline].index("FlowView")
    assert pipeline.pop(at) == dict(
        type="FlowView",
        source="files",
        root="data/ucf101/flow",
        video_root=rgb.train_dataloader.dataset.dataset.data_prefix.video,
        prob=0.25,
    )
    assert pipeline == rgb.train_dataloader.dataset.pipeline
    assert "Decode" in pipeline[at - 1]["type"] and pipeline[at]["type"] == "ClipAugment"
    changed = differences("slic_r3d_ucf101_flow.py")
    assert all(path.startswith(f"{DATASET}.pipeline.") for path in changed)


def check_augmentation(cfg: Config, worker: Config) -> None:
    """What the device and a worker that crops do is what another worker does alone."""
    preprocessor, normalise = (c.model.data_preprocessor for c in (cfg, worker))
    assert preprocessor.type == "SLICDataPreprocessor"
    for key in ("mean", "std", "format_shape"):
        assert preprocessor[key] == normalise[key]
    pipeline, whole = (c.train_dataloader.dataset.pipeline for c in (cfg, worker))
    crop, augment = (steps(part)["ClipAugment"] for part in (pipeline, whole))
    assert crop == dict(
        type="ClipAugment", size=augment["size"], area_range=augment["area_range"], on_device=True
    )
    appearance = {key: value for key, value in augment.items() if key not in crop}
    assert Appearance(**preprocessor.augment) == Appearance(**appearance)
    assert "clip_draws" in pipeline[-1].meta_keys
    others = ("ClipAugment", "PackActionInputs")
    kept = [[step for step in part if step.type not in others] for part in (pipeline, whole)]
    assert kept[0] == kept[1]


def test_exact_numerics_are_all_that_the_exact_config_changes() -> None:
    check_augmentation(load(MAIN), load(EXACT))
    assert "modalities" in load(MAIN).train_dataloader.dataset.pipeline[-1].meta_keys
    assert Appearance(**load(MAIN).model.data_preprocessor.augment) == Appearance()
    where = (f"{DATASET}.pipeline.", "model.data_preprocessor.")
    changed = differences(EXACT)
    assert {p: v for p, v in changed.items() if not p.startswith(where)} == {
        "train_dataloader.pin_memory": None,
        **{
            f"default_hooks.{hook}.{key}": None
            for hook in ("bfloat16", "channels_last")
            for key in ("type", "devices")
        },
    }


R3D = [MAIN, "slic_r3d_k400.py", "slic_r3d_ucf101_flow.py", "backbones/slic_r3d50_ucf101.py",
       "backbones/finetune_r3d50_ucf101.py", *names("finetune"), *names("ablations")]  # fmt: skip


@pytest.mark.parametrize("name", R3D)
def test_every_r3d_trains_fast_on_a_gpu_and_as_ever_on_a_cpu(name: str) -> None:
    cfg = load(name)
    assert cfg.train_dataloader.pin_memory
    hooks = cfg.default_hooks
    assert hooks.bfloat16 == dict(type="BFloat16Hook", devices=["cuda"])
    assert hooks.channels_last == dict(type="ChannelsLastHook", devices=["cuda"])
    assert cfg.optim_wrapper.type == "OptimWrapper"  # --amp takes no other
    assert cfg.model.data_preprocessor.type == "SLICDataPreprocessor"


@pytest.mark.parametrize("name", ["slic_r3d_ucf101", "slic_r3d_slim_ucf101"])
def test_motion_changes_the_clustering_alone(name: str) -> None:
    motion, rgb = load(f"{name}_motion.py"), load(f"{name}.py")
    number, hook = len(motion.custom_hooks) - 1, motion.custom_hooks[-1]
    assert hook.descriptors == "data/ucf101/motion.npz" and hook.pipeline == []
    assert hook.clusterer == dict(type="FINCH", num_clusters=round(0.0875 * 9537))
    same = {key: value for key, value in hook.items() if key in rgb.custom_hooks[-1]}
    assert {**rgb.custom_hooks[-1], "clusterer": hook.clusterer, "pipeline": []} == same
    changed = differences(f"{name}_motion.py", f"{name}.py")
    assert all(path.startswith(f"custom_hooks.{number}.") for path in changed)


def test_every_row_of_the_ablation_table_is_there() -> None:
    assert names("ablations") == sorted(f"ablations/slic_r3d_ucf101_{n}.py" for n in ABLATIONS)


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_changes_what_it_says_and_nothing_else(name: str) -> None:
    found = differences(f"ablations/slic_r3d_ucf101_{name}.py")
    hooks = load(f"ablations/slic_r3d_ucf101_{name}.py").custom_hooks
    clusters = any(hook.type == "PseudoLabelHook" for hook in hooks)
    assert clusters == (name not in ("UPPER_BOUND_true_labels",) and "no_clustering" not in name)
    if not clusters:
        gone = [p for p, value in found.items() if p.startswith(HOOK) and value is None]
        found = {path: value for path, value in found.items() if path not in gone}
    expected = ABLATIONS[name]
    assert {p: v for p, v in found.items() if v is not None} == {
        p: v for p, v in expected.items() if v is not None
    }
    assert set(found) <= set(expected)


def test_kinetics400_pretraining() -> None:
    cfg = load("slic_r3d_k400.py")
    train = cfg.train_dataloader
    assert train.batch_size * 8 == 104 == cfg.auto_scale_lr.base_batch_size
    assert train.dataset.p_same_video == 0.5 and cfg.train_cfg.max_epochs == 340
    normalise = cfg.model.data_preprocessor
    assert [v / 255 for v in normalise.mean] == pytest.approx([0.4345, 0.4051, 0.3775])
    assert [v / 255 for v in normalise.std] == pytest.approx([0.2768, 0.2713, 0.2737])
    changed = differences("slic_r3d_k400.py")
    allowed = r"(max_epochs|batch_size|p_same_video|mean|std)$"
    others = [p for p in changed if not re.search(allowed, p)]
    assert all(p.endswith(("ann_file", "data_prefix.video")) for p in others), others
    assert all("kinetics400" in changed[p] for p in others) and len(others) == 6


@pytest.mark.parametrize("name", names("finetune"))
def test_the_finetuning_recipe(name: str) -> None:
    """CoCLR's protocol, which the paper takes for finetuning."""
    cfg = load(name)
    (data,) = [d for d in CLASSES if f"_{d}" in name]
    optim, head = cfg.optim_wrapper, cfg.model.cls_head
    assert optim.optimizer == dict(type="Adam", lr=1e-3, weight_decay=1e-3)
    if "scratch" in name:
        assert optim.paramwise_cfg is None and not cfg.custom_hooks
    else:
        assert optim.paramwise_cfg == dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
        assert [hook.type for hook in cfg.custom_hooks] == ["BackboneLoadingHook"]
    (decay,) = cfg.param_scheduler
    assert decay == dict(type="MultiStepLR", milestones=[60, 100], gamma=0.1, by_epoch=True)
    assert cfg.train_cfg.max_epochs == 150 and cfg.train_dataloader.batch_size == 32
    assert (cfg.model.type, head.type, head.dropout_ratio) == ("Recognizer3D", "I3DHead", 0.9)
    assert (head.num_classes, head.in_channels, head.average_clips) == (CLASSES[data], 512, "prob")
    assert cfg.model.backbone == load(MAIN).model.backbone
    pretraining = "slic_r3d_k400.py" if data == "k400" else MAIN
    for key in ("mean", "std", "format_shape"):
        assert cfg.model.data_preprocessor[key] == load(pretraining).model.data_preprocessor[key]
    # The pretraining's config has the same name: its checkpoints must not be overwritten.
    assert cfg.work_dir == f"work_dirs/{name[: -len('.py')]}"
    # Persistent workers: the others repeat their augmentations in every epoch.
    assert cfg.train_dataloader.persistent_workers
    # No checkpoint is chosen by looking at test videos.
    assert "save_best" not in cfg.default_hooks.checkpoint

    train, val, test = (
        steps(cfg[f"{part}_dataloader"].dataset.pipeline) for part in ("train", "val", "test")
    )
    sampler = dict(type="SampleFrames", clip_len=16, frame_interval=1, num_clips=1)
    assert train["SampleFrames"] == sampler
    assert train["ClipAugment"] == dict(
        type="ClipAugment", size=128, area_range=(0.2, 1.0), on_device=True
    )
    assert cfg.model.data_preprocessor.augment == dict(
        **dict(flip_prob=0.5, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
        **dict(jitter_prob=0.3, gray_prob=0.0, blur_prob=0.0),
    )
    assert cfg.train_dataloader.dataset.pipeline[-1].meta_keys == ("clip_draws",)
    assert val["SampleFrames"] == dict(sampler, test_mode=True)
    assert test["SampleFrames"] == dict(sampler, num_clips=10, test_mode=True)
    crop, other = ("CenterCrop", "TenCrop") if "10clip" in name else ("TenCrop", "CenterCrop")
    assert test[crop]["crop_size"] == 128 and other not in test
    assert "Jitter" not in str(test) and "Augment" not in str(test)
    protocol = "finetune/10clip" if "10clip" in name else "finetune/10clip_tencrop"
    assert cfg.test_evaluator == dict(type="AccMetric", prefix=protocol)
    assert cfg.val_evaluator.prefix == "finetune/center"

    folder = dict(k400="kinetics400").get(data, data)
    number = next((n for n in (2, 3) if f"split{n}" in name), 1)
    split = "list" if data == "k400" else f"split_{number}"
    for loader, part in (("train", "train"), ("val", "val"), ("test", "val")):
        dataset = cfg[f"{loader}_dataloader"].dataset
        assert dataset.ann_file == f"data/{folder}/{folder}_{part}_{split}_videos.txt"
        assert dataset.data_prefix.video.startswith(f"data/{folder}/videos")
        assert bool(dataset.get("test_mode")) == (loader != "train")
