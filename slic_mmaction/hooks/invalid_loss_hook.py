"""Stopping a training that has diverged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dataset import DefaultSampler
from mmengine.dist import all_gather_object, all_reduce, get_dist_info
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

from ..compat.last_checkpoint import find_latest_checkpoint
from ..datasets.cluster_aware_dataset import ClusterAwareDataset
from ..datasets.videos import video_name


@HOOKS.register_module()
class InvalidLossHook(Hook):
    """Stop at a NaN or infinite loss, with its iteration, videos and a checkpoint to resume from.

    Weights that are not finite are never saved, so the last checkpoint is always usable.
    Gradients are not checked: under AMP infinite ones are normal, and ``GradScaler`` skips their
    step. The check needs no synchronisation with the device, because ``RuntimeInfoHook`` has
    copied the loss already. Ranks exchange one number after each iteration, so that all stop.

    Raises:
        FloatingPointError: On every rank, if a loss or a weight is not finite.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> default_hooks = dict(invalid_loss=dict(type="InvalidLossHook"))  # in a config
        >>> sorted(HOOKS.build(default_hooks["invalid_loss"]).get_triggered_stages())
        ['after_train_epoch', 'after_train_iter', 'before_save_checkpoint']
    """

    # After buffers are averaged over ranks, before checkpoints are saved.
    priority = "LOW"

    def __init__(self) -> None:
        self._has_checkpoint = False  # whether this run has saved one

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Check the loss."""
        invalid = not math.isfinite(_logged(runner, "loss"))
        anywhere = torch.tensor(int(invalid))
        all_reduce(anywhere, "max")  # returns at once where there is one process
        if not anywhere:
            return
        own = _finding(runner, batch_idx, data_batch, outputs or {}) if invalid else None
        findings = [text for text in all_gather_object(own) if text]
        raise FloatingPointError(
            f"The loss of epoch {runner.epoch + 1}, iteration {batch_idx + 1} is "
            f"{' and '.join(findings)}: {_advice(runner, self._has_checkpoint)}, and check these "
            "videos if it happens with them again."
        )

    def after_train_epoch(self, runner: Runner) -> None:
        """Check the weights, which are the same on all ranks."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        _check_weights(runner, model.state_dict(), self._has_checkpoint)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check the weights of a checkpoint, which may be saved within an epoch."""
        _check_weights(runner, checkpoint["state_dict"], self._has_checkpoint)
        self._has_checkpoint = True


def _logged(runner: Runner, name: str) -> float:
    return runner.message_hub.get_scalar(f"train/{name}").current()


def _finding(runner: Runner, batch_idx: int, batch: Any, outputs: dict[str, Any]) -> str:
    """Describe the loss of this rank: ``nan (loss_triplet) on rank 1 for the videos a, b``."""
    rank, world_size = get_dist_info()
    terms = [n for n in outputs if "loss" in n and n != "loss"]
    invalid = [name for name in terms if not math.isfinite(_logged(runner, name))]
    loader = runner.train_dataloader
    videos, sampler = batch_videos(loader, batch, batch_idx), type(loader.sampler).__name__
    which = (
        f"the videos {', '.join(videos)}"
        if videos
        else f"unknown videos ({sampler} does not list them)"
    )
    where = f" on rank {rank}" if world_size > 1 else ""
    return f"{_logged(runner, 'loss')} ({', '.join(invalid)}){where} for {which}"


def batch_videos(loader: DataLoader, batch: dict[str, Any], batch_idx: int) -> list[str]:
    """Find the paths of the videos in a batch, each once, in the order of the batch.

    The result is empty if neither the samples nor the sampler give them. ``batch_idx`` is the
    0-based number of the batch in the loader's current epoch, or in the run.
    """
    dataset: Any = loader.dataset
    indices: Sequence[int]
    if isinstance(dataset, ClusterAwareDataset):
        # Unlike the sampler's order, this includes positives and replacements of unreadable videos.
        indices = [i for s in batch["data_samples"] for i in s.video_indices.tolist()]
        dataset = dataset.videos
    elif isinstance(loader.sampler, DefaultSampler) and hasattr(dataset, "get_data_info"):
        # Stock samples do not have their video, but the sampler's order can be drawn again.
        assert loader.batch_sampler is not None  # a loader with a sampler has one
        # Loops by iterations count from the start of the run.
        indices = list(loader.batch_sampler)[batch_idx % len(loader)]
    else:
        return []
    return list(dict.fromkeys(video_name(dataset, index) for index in indices))


def _check_weights(runner: Runner, state: dict[str, Tensor], has_checkpoint: bool) -> None:
    real = {name: value for name, value in state.items() if value.is_floating_point()}
    broken = [name for name, value in real.items() if not value.isfinite().all()]
    if broken:
        raise FloatingPointError(
            f"{len(broken)} of {len(state)} weights are not finite after epoch "
            f"{runner.epoch + 1}, iteration {runner.iter} of the run (first: {broken[0]}), so "
            f"they are not saved: {_advice(runner, has_checkpoint)}."
        )


def _advice(runner: Runner, has_checkpoint: bool) -> str:
    last = None
    if has_checkpoint or runner._resume:  # else the folder may have one of an earlier run
        with suppress(ValueError):
            last = find_latest_checkpoint(runner.work_dir)
    if last is None:
        return (
            "there is no checkpoint yet, so start again with optim_wrapper.clip_grad or a lower "
            "learning rate"
        )
    # A resumed optimizer keeps its learning rate.
    return (
        f"the last good checkpoint is {last}, so resume it with optim_wrapper.clip_grad, or give "
        "it to load_from with a lower learning rate"
    )
