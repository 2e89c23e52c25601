"""Small versions of the configs of ``configs/backbones``, and short trainings of them on a CPU.

Only width, depth and the size of the clips are changed.
"""

from __future__ import annotations

import copy
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

# The first half of a 2D ResNet, which has no option for the width.
HALF: dict[str, Any] = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))
# Settings of the backbone, by the family in a config's name, ``slic_FAMILY_ucf101``.
SMALL: dict[str, dict[str, Any]] = {
    "c2d": dict(depth=18, **HALF),
    "c3d": dict(out_dim=512),
    "csn": dict(depth=50, base_channels=4),
    "i3d": dict(base_channels=4),
    "mmpretrain_resnext": dict(depth=50),
    "mobilenet_v2_tsm": dict(widen_factor=0.25, num_segments=4),
    "mobilenet_v2": dict(widen_factor=0.25),
    "mobileone_tsm": dict(arch="s0", num_segments=4),
    "mvit": dict(
        arch=dict(
            embed_dims=8, num_layers=4, num_heads=1, downscale_indices=[1, 2, 3], _delete_=True
        ),
        spatial_size=32,
        temporal_size=8,
    ),
    "omni_resnet": dict(layers=[1, 1, 1, 1]),
    "r2plus1d": dict(depth=18, base_channels=4),
    "r3d50": dict(base_channels=4),
    "slowfast": dict(slow_pathway=dict(base_channels=8), fast_pathway=dict(base_channels=1)),
    "slowonly": dict(base_channels=4),
    "swin": dict(
        arch=dict(embed_dims=8, depths=[2, 2, 2, 2], num_heads=[1, 2, 2, 2], _delete_=True),
        window_size=(4, 4, 4),
    ),
    "tanet": dict(num_segments=4, **HALF),
    "timesformer": dict(img_size=64, embed_dims=32, num_heads=2, num_transformer_layers=2),
    "timm_swin": dict(type="timm.swin_tiny_patch4_window7_224"),
    "tin": dict(num_segments=4),
    "torchvision_densenet": dict(type="torchvision.densenet121"),
    "tsm": dict(depth=18, num_segments=4),
    "tsn": dict(depth=18, **HALF),
    "uniformer": dict(depth=[1, 1, 1, 1], embed_dim=[8, 16, 32, 64], head_dim=8),
    "uniformerv2": dict(
        **dict(input_resolution=64, width=32, layers=4, heads=2, return_list=[2, 3]),
        **dict(n_layers=2, n_dim=32, n_head=2, mlp_dropout=[0.5, 0.5]),
    ),
    "videomae": dict(img_size=32, embed_dims=32, depth=2, num_heads=2, num_frames=8),
    "x3d": dict(gamma_w=0.3, gamma_d=1),
}
# Frames and pixels of a small clip, if not 4 x 16 (2D networks) or 8 x 32.
CLIPS = {
    **dict.fromkeys(("c2d", "omni_resnet", "r3d50"), (8, 16)),
    # Its five poolings leave one value.
    "c3d": (16, 16),
    "timesformer": (8, 64),
    "timm_swin": (4, 224),
    "torchvision_densenet": (4, 32),
    "uniformerv2": (8, 64),
}


def missing_package(backbone: str) -> str | None:
    """Return the name of the package that a type of backbone lacks on this machine, or None."""
    # The temporal interlacing is a compiled operation for GPUs only, which mmcv-lite lacks.
    if backbone == "ResNetTIN" and not (find_spec("mmcv._ext") and torch.cuda.is_available()):
        return "full mmcv and a GPU"
    module = "mmpretrain." if backbone == "MobileOneTSM" else backbone
    package, dot, _ = module.partition(".")
    return package if dot and find_spec(package) is None else None


def replace_values(node: Any, values: dict[str, Any]) -> None:
    """Replace the values of keys at any depth; a function is called with the old value."""
    for child in node if isinstance(node, (list, tuple)) else ():
        replace_values(child, values)
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in values:
            node[key] = values[key](value) if callable(values[key]) else values[key]
        else:
            replace_values(value, values)


def small_values(videos: Path, folder: Path, frames: int, pixels: int) -> dict[str, Any]:
    """Return the values for small frames, clips and batches, and for other videos."""
    return dict(
        clip_len=frames,
        num_segments=frames,
        size=pixels,
        crop_size=pixels,
        scale=lambda sides: tuple(side if side < 0 else pixels + 4 for side in sides),
        hidden_channels=16,
        batch_size=4,
        num_workers=0,
        persistent_workers=False,
        ann_file=lambda path: str(videos / f"{'train' if 'train' in path else 'test'}.txt"),
        data_prefix=dict(video=str(videos)),
        cache_dir=str(folder / "features"),
    )


def small_run(cfg: Config, family: str, videos: Path, folder: Path) -> Config:
    """Change a config to a small network and a few videos.

    Args:
        cfg: Config of ``configs/backbones``; changed in place.
        family: Family in the name of the config. The network of an unknown family is unchanged.
        videos: Folder with ``train.txt`` and ``test.txt``, lines ``path label``.
        folder: Work directory of the run.
    """
    usual = (4, 16) if cfg.model.type == "Recognizer2D" else (8, 32)
    frames, pixels = CLIPS.get(family, usual)
    # MMEngine removes `_delete_` from its argument.
    cfg.merge_from_dict(dict(model=dict(backbone=copy.deepcopy(SMALL.get(family, {})))))
    head = cfg.model.cls_head
    if family == "c3d" and head.type == "SLICHead":
        head.in_channels = 4096
    if head.type == "TSMHead":
        head.num_segments = frames
    replace_values(cfg._cfg_dict, small_values(videos, folder, frames, pixels))
    for part in ("val_dataloader", "test_dataloader"):
        for step in cfg[part].dataset.pipeline:
            if step["type"] == "SampleProtocolClips" and part.startswith("test"):
                step.update(protocol="iic", num_clips=3)
            elif step.get("num_clips", 1) > 1:
                step["num_clips"] = 2
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.work_dir = str(folder)
    cfg.experiment_name = f"{folder.parent.name}-{folder.name}"
    cfg.visualizer.vis_backends = [dict(type="LocalVisBackend")]
    cfg.log_level = "ERROR"
    cfg.randomness = dict(seed=0)
    return cfg


def try_pretraining(cfg: Config) -> list[float]:
    """Cluster, train an epoch of a few iterations, validate and write a checkpoint.

    Args:
        cfg: Config from :func:`small_run`.

    Returns:
        The loss of each iteration.

    Raises:
        RuntimeError: If nothing was clustered, a loss is not finite, the backbone has no trainable
            weight, or its first or last one did not change.
    """
    weights: dict[str, Tensor] = {}

    class KeepWeights(Hook):
        def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
            # Many backbones freeze their stages when they are switched to training.
            for name, weight in runner.model.backbone.named_parameters():
                if batch_idx == 0 and weight.requires_grad and weight.ndim > 1:
                    weights[name] = weight.detach().clone()

    runner = Runner.from_cfg(cfg)
    runner.register_hook(KeepWeights())
    runner.train()
    if not weights:
        raise RuntimeError("no weight of the backbone is trained")
    if not (Path(cfg.work_dir) / "pseudo_labels" / "epoch_0.npz").is_file():
        raise RuntimeError("no clustering took place")
    losses = runner.message_hub.get_scalar("train/loss").data[0].tolist()
    if not all(map(math.isfinite, losses)):
        raise RuntimeError(f"the losses are {losses}")
    for name in (next(iter(weights)), next(reversed(weights))):
        after = runner.model.backbone.get_parameter(name)
        if torch.equal(weights[name], after) or not bool(torch.isfinite(after).all()):
            raise RuntimeError(f"training did not change backbone.{name}, or made it infinite")
    return losses


def try_retrieval(cfg: Config) -> dict[str, float]:
    """Evaluate the checkpoint of :func:`try_pretraining` with three clips of each video.

    Raises:
        RuntimeError: If a metric is not a percentage.
    """
    cfg.load_from = str(Path(cfg.work_dir) / "epoch_1.pth")
    cfg.experiment_name += "-test"
    metrics = Runner.from_cfg(cfg).test()
    if not metrics or not all(0 <= value <= 100 for value in metrics.values()):
        raise RuntimeError(f"the metrics are {metrics}")
    return metrics
