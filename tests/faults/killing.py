"""For a config's ``custom_imports``: a network that draws, and hooks that kill or spoil a run."""

from __future__ import annotations

import builtins
import os
import pkgutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmaction.models import ResNet3d
from mmaction.registry import HOOKS, MODELS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn


def kill_this_process(*args: object) -> None:
    """Like ``kill -9``: nothing is flushed, no ``finally`` and no ``atexit`` runs."""
    os.kill(os.getpid(), signal.SIGKILL)


@MODELS.register_module()
class DroppingResNet3d(ResNet3d):
    """Draws from torch's global generator in every forward pass, as Swin or X3D do."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(x), 0.1, self.training)


@HOOKS.register_module()
class KillAt(Hook):
    """Kill the process at the nth time (from 1) that it comes to one of these places.

    Args:
        cpu_seconds: No place: when it has used so much more processor time.
        call: Entering this function, ``'package.module:Class.method'``.
        half_written: A file whose name contains this has been written by half.
        before_rename: Such a file is complete and about to take its name.
        after_rename: Such a file has just taken its name.
    """

    priority = "HIGHEST"

    def __init__(
        self,
        cpu_seconds: float = 0.0,
        call: str = "",
        half_written: str = "",
        before_rename: str = "",
        after_rename: str = "",
        nth: int = 1,
    ) -> None:
        self.left, self.begin = nth, time.process_time()
        if cpu_seconds:  # nobody handles the signal of this timer, so it kills, too
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        if call:
            module, _, function = call.partition(":")
            *owners, name = function.split(".")
            owner = pkgutil.resolve_name(f"{module}:{'.'.join(owners)}")
            setattr(owner, name, self._killing(getattr(owner, name)))
        if half_written:
            builtins.open = self._writing_half(builtins.open, half_written)
        if before_rename:
            os.replace = self._killing(os.replace, before_rename)
        if after_rename:
            os.replace = self._killing(os.replace, after_rename, after=True)

    def after_run(self, runner: Runner) -> None:
        print(f"PROCESSOR TIME {time.process_time() - self.begin}")

    def _reached(self) -> bool:
        self.left -= 1
        return self.left == 0

    def _killing(self, function: Callable, path: str = "", after: bool = False) -> Callable:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            here = not path or any(path in os.path.basename(str(arg)) for arg in args)
            if here and not after and self._reached():
                kill_this_process()
            result = function(*args, **kwargs)
            if here and after and self._reached():
                kill_this_process()
            return result

        return wrapped

    def _writing_half(self, real_open: Callable, path: str) -> Callable:
        def wrapped(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            opened = real_open(file, mode, *args, **kwargs)
            if path in os.path.basename(str(file)) and mode[0] in "wax" and self._reached():
                return _WritesHalf(opened)
            return opened

        return wrapped


class _WritesHalf:
    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> _WritesHalf:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, data: Any) -> None:
        if len(data) < 2:  # the bracket that opens a line of JSON
            self._file.write(data)
            return
        self._file.write(data[: len(data) // 2])
        self._file.flush()
        kill_this_process()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@HOOKS.register_module()
class SpoilClips(Hook):
    """Let the network of one rank meet NaN in one batch; epoch and iteration from 1."""

    def __init__(self, epoch: int, iteration: int, rank: int = 0) -> None:
        self.place = (epoch, iteration, rank)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if (runner.epoch + 1, batch_idx + 1, get_rank()) == self.place:
            data_batch["inputs"] = [clip * float("nan") for clip in data_batch["inputs"]]
            names = [i for s in data_batch["data_samples"] for i in s.video_indices.tolist()]
            print(f"SPOILT {sorted(set(names))}", flush=True)


@HOOKS.register_module()
class FillDisk(Hook):
    """Fill the disk of the work dir to its last page, in an epoch (from 1), before ``'checkpoint'``
    or ``'labels'`` are saved."""

    priority = "HIGH"  # before clustering, and before checkpoints

    def __init__(self, epoch: int, before: str) -> None:
        self.place = (epoch, before)

    def before_train_epoch(self, runner: Runner) -> None:
        self._fill(runner, "labels")

    def after_train_epoch(self, runner: Runner) -> None:
        self._fill(runner, "checkpoint")

    def _fill(self, runner: Runner, moment: str) -> None:
        if (runner.epoch + 1, moment) == self.place:
            disk = os.statvfs(runner.work_dir)
            (Path(runner.work_dir) / "filler").write_bytes(bytes(disk.f_bavail * disk.f_frsize))
