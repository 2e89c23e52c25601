"""Named through ``custom_imports`` by a config that is to have a bad day."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class SpoilClips(Hook):
    """Let the network of one rank meet NaN in one batch.

    Args:
        epoch (int): 1-based.
        iteration (int): 1-based.
        rank (int): Which rank.
    """

    def __init__(self, epoch: int, iteration: int, rank: int = 0) -> None:
        self.place = (epoch, iteration, rank)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if (runner.epoch + 1, batch_idx + 1, get_rank()) == self.place:
            data_batch["inputs"] = [clip * float("nan") for clip in data_batch["inputs"]]
            names = [i for s in data_batch["data_samples"] for i in s.video_indices.tolist()]
            print(f"SPOILT {sorted(set(names))}", flush=True)


@HOOKS.register_module()
class FillDisk(Hook):
    """Fill the disk of the work dir up to its last page.

    Args:
        epoch (int): 1-based.
        before (str): What then finds no room: ``'checkpoint'`` or ``'labels'``.
    """

    # Before clustering, and before checkpoints.
    priority = "HIGH"

    def __init__(self, epoch: int, before: str) -> None:
        self.place = (epoch, before)

    def before_train_epoch(self, runner: Runner) -> None:
        self._fill(runner, "labels")

    def after_train_epoch(self, runner: Runner) -> None:
        self._fill(runner, "checkpoint")

    def _fill(self, runner: Runner, moment: str) -> None:
        if (runner.epoch + 1, moment) != self.place:
            return
        disk = os.statvfs(runner.work_dir)
        with open(Path(runner.work_dir) / "filler", "wb") as file:
            file.write(bytes(disk.f_bavail * disk.f_frsize))
