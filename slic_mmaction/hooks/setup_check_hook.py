"""Checking a training's settings before the first epoch."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from ..datasets.cluster_aware_dataset import ClusterAwareDataset, seeded_draws
from ..datasets.retrieval_dataset import RetrievalDataset
from ..datasets.videos import annotation_files, true_labels
from ..ranks import check_same_batches

SHARED_MEMORY = Path("/dev/shm")


@HOOKS.register_module()
class SetupCheckHook(Hook):
    """Check the settings of a training before it begins.

    The hook refuses a training set smaller than a batch, ranks with epochs of different lengths,
    an infinite sampler in an epoch-based loop, :class:`ClusterAwareDataset` in an iteration-based
    loop, a validation set without labels, and batches that do not fit into shared memory. It warns
    if the batch size of all ranks is not the one of the learning rate.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> default_hooks = dict(setup_check=dict(type="SetupCheckHook"))  # in a config
        >>> sorted(HOOKS.build(default_hooks["setup_check"]).get_triggered_stages())
        ['before_train']
    """

    priority = "HIGH"

    def before_train(self, runner: Runner) -> None:
        """Check all settings.

        Raises:
            ValueError: If a setting of the batches, the sampler or the validation is wrong.
            TypeError: If the loop of a :class:`ClusterAwareDataset` is not epoch-based.
            OSError: If loader workers would run out of shared memory.
        """
        loader = runner.train_dataloader
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            _check_batches(loader)
        elif isinstance(loader.dataset, ClusterAwareDataset):
            raise TypeError(
                "ClusterAwareDataset draws new samples in every epoch and is clustered between "
                "epochs: set train_cfg.by_epoch=True."
            )
        if runner.val_loop is not None:
            _check_labels(runner.val_loop.dataloader.dataset)
        _check_learning_rate(runner)
        check_shared_memory(loader)


def _check_batches(loader: Any) -> None:
    if isinstance(loader.sampler, InfiniteSampler):
        raise ValueError(
            "An epoch never ends with train_dataloader.sampler.type='InfiniteSampler': use "
            "DefaultSampler, or train_cfg.type='IterBasedTrainLoop'."
        )
    if len(loader) == 0:
        raise ValueError(
            f"There is no batch to train on: {len(loader.dataset)} videos on "
            f"{_count(get_world_size())} are fewer than a batch of {loader.batch_size} on each, "
            "and drop_last drops them. Set train_dataloader.batch_size to a smaller number."
        )
    check_same_batches(len(loader))


def _check_labels(dataset: Any) -> None:
    if not isinstance(dataset, RetrievalDataset):
        return
    for role in ("query", "gallery"):
        videos = getattr(dataset, role)
        if true_labels(videos) is None:
            raise ValueError(
                f"Validation needs exactly one class for each {role} video, but some in "
                f"{annotation_files(videos)} have none: add their labels, or disable validation "
                "with val_dataloader=None val_evaluator=None val_cfg=None."
            )


def _check_learning_rate(runner: Runner) -> None:
    scaling = runner.cfg.get("auto_scale_lr") or {}
    base = scaling.get("base_batch_size")
    if base is None or scaling.get("enable"):
        return
    size, ranks = runner.train_dataloader.batch_size, get_world_size()
    updates = getattr(runner.optim_wrapper, "_accumulative_counts", 1)
    if size is not None and size * ranks * updates != base:
        fitting = max(1, base // (ranks * updates))
        accumulated = f" x {updates} accumulated" if updates > 1 else ""
        runner.logger.warning(
            f"An update uses {size * ranks * updates} videos ({_count(ranks)} x "
            f"batch_size {size}{accumulated}), but the learning rate is for {base}: set "
            f"train_dataloader.batch_size={fitting}, or scale the learning rate with "
            "--auto-scale-lr."
        )


def check_shared_memory(loader: DataLoader) -> None:
    """Check that the prefetched batches of the loader workers fit into shared memory.

    A worker that runs out of shared memory loses its batch, and the run waits forever.

    Args:
        loader: Loader of the training.

    Raises:
        OSError: If the batches need more shared memory than is free.
    """
    if loader.num_workers == 0 or not SHARED_MEMORY.is_dir():
        return
    with seeded_draws(0):  # stock transforms draw from the global generators
        sample = loader.dataset[0]
    batch = _num_bytes(sample) * (loader.batch_size or 1)
    prefetched = loader.num_workers * (loader.prefetch_factor or 2) + 1
    # Set by torchrun, and by srun.
    names = ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE")
    ranks = int(next((os.environ[name] for name in names if name in os.environ), 1))
    needed, free = batch * prefetched * ranks, shutil.disk_usage(SHARED_MEMORY).free
    if needed > free:
        raise OSError(
            f"Loader workers need up to {needed / 1e6:.0f} MB of shared memory ({_count(ranks)} x "
            f"{prefetched} batches of {batch / 1e6:.1f} MB), but {SHARED_MEMORY} has "
            f"{free / 1e6:.0f} MB free: start the container with "
            f"--shm-size={needed // 2**30 + 1}g, or set train_dataloader.num_workers or batch_size "
            "to a smaller number."
        )


def _num_bytes(item: Any) -> int:
    if isinstance(item, torch.Tensor):
        return item.numel() * item.element_size()
    if isinstance(item, dict):
        return sum(map(_num_bytes, item.values()))
    return sum(map(_num_bytes, item)) if isinstance(item, (list, tuple)) else 0


def _count(ranks: int) -> str:
    return f"{ranks} rank{'s' * (ranks > 1)}"
