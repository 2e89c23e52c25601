"""Pretraining and retrieval for a moment, to see that a config does them."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from .figures import pseudo_label_hook

VIDEOS_AT_ONCE = 4
CLIPS_OF_A_VIDEO = 3


def small_run(
    cfg: Config, overrides: dict[str, Any], clip: tuple[int, int], videos: Path, folder: Path
) -> Config:
    """Point a config at a few videos and make it cheap; what it does stays.

    Args:
        cfg (Config): Of ``configs/backbones``; changed in place.
        overrides (dict): Options as for ``--cfg-options``, which make the network small.
        clip (tuple[int, int]): Frames and pixels.
        videos (Path): Folder with ``train.txt`` and ``test.txt``, lines ``path label``.
        folder (Path): Where the run writes.
    """
    # MMEngine takes `_delete_` out of what it is given.
    cfg.merge_from_dict(copy.deepcopy(overrides))
    for part in ("train", "val", "test"):
        loader = cfg[f"{part}_dataloader"]
        loader.update(batch_size=VIDEOS_AT_ONCE, num_workers=0, persistent_workers=False)
        _use_videos(loader.dataset, videos)
        _use_clips(loader.dataset.pipeline, *clip)
    for step in cfg.test_dataloader.dataset.pipeline:
        if step["type"] == "SampleProtocolClips":
            step.update(protocol="iic", num_clips=CLIPS_OF_A_VIDEO)
    hook = pseudo_label_hook(cfg)
    hook.update(batch_size=VIDEOS_AT_ONCE, num_workers=0)
    _use_clips(hook["pipeline"], *clip)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    if "cache_dir" in cfg.test_cfg:
        cfg.test_cfg.cache_dir = str(folder / "features")
    cfg.work_dir, cfg.experiment_name = str(folder), folder.name
    cfg.visualizer.vis_backends = [dict(type="LocalVisBackend")]
    cfg.log_level = "ERROR"
    cfg.randomness = dict(seed=0)
    return cfg


def try_pretraining(cfg: Config) -> list[float]:
    """Cluster, train an epoch of a few iterations, validate and write a checkpoint.

    Args:
        cfg (Config): Of :func:`small_run`.

    Returns:
        list[float]: The loss of each iteration.

    Raises:
        RuntimeError: If nothing was clustered, a loss is not finite, the backbone has no trainable
            weight, or its first or last one is what it was.
    """
    watch = _Watch()
    runner = Runner.from_cfg(cfg)
    runner.register_hook(watch)
    runner.train()
    if not (Path(cfg.work_dir) / "pseudo_labels" / "epoch_0.npz").is_file():
        raise RuntimeError("no clustering took place")
    if not watch.losses or not all(map(math.isfinite, watch.losses)):
        raise RuntimeError(f"the losses are {watch.losses}")
    for name, before in watch.weights.items():
        after = runner.model.get_parameter(name)
        if torch.equal(before, after) or not bool(torch.isfinite(after).all()):
            raise RuntimeError(f"training did not change {name}, or made it infinite")
    return watch.losses


def try_retrieval(cfg: Config) -> dict[str, float]:
    """Test the checkpoint of :func:`try_pretraining` with several clips of each video.

    Args:
        cfg (Config): Of :func:`small_run`.

    Returns:
        dict[str, float]: The metrics.

    Raises:
        RuntimeError: If a metric is no percentage.
    """
    cfg.load_from = str(Path(cfg.work_dir) / "epoch_1.pth")
    cfg.experiment_name += "-test"
    metrics = Runner.from_cfg(cfg).test()
    if not metrics or not all(0 <= value <= 100 for value in metrics.values()):
        raise RuntimeError(f"the metrics are {metrics}")
    return metrics


class _Watch(Hook):
    """Keeps the losses, and the backbone's outermost weights as they were at first."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.weights: dict[str, Tensor] = {}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        # Not earlier: many backbones freeze their stages when they are switched to training.
        if batch_idx:
            return
        trained = [
            name
            for name, parameter in runner.model.named_parameters()
            if name.startswith("backbone.") and parameter.requires_grad and parameter.ndim > 1
        ]
        if not trained:
            raise RuntimeError("no weight of the backbone is trained")
        for name in (trained[0], trained[-1]):
            self.weights[name] = runner.model.get_parameter(name).detach().clone()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.losses.append(outputs["loss"].item())


def _use_videos(node: Any, videos: Path) -> None:
    if not isinstance(node, dict):
        return
    if "ann_file" in node:
        split = "train" if "train" in Path(node["ann_file"]).name else "test"
        node["ann_file"] = str(videos / f"{split}.txt")
        node["data_prefix"] = dict(video=str(videos))
    for child in node.values():
        _use_videos(child, videos)


def _use_clips(pipeline: Sequence[dict[str, Any]], frames: int, pixels: int) -> None:
    sizes: dict[str, Any] = dict(clip_len=frames, size=pixels, crop_size=pixels)
    for step in pipeline:
        step.update({key: value for key, value in sizes.items() if key in step})
        if step["type"] == "Resize":
            step.update(scale=(pixels, pixels), keep_ratio=False)
