"""A resumed run that is the interrupted one."""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from .batch_plan import BatchPlan, check_batches, check_position

META_KEY = "batch_plan"
# Keeps these seeds apart from those of slic_mmaction.datasets.draws.
_SPAWN_KEY = (1,)


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Resume a run so that it ends like one that was never interrupted, or refuse.

    - Torch's, NumPy's and Python's generators are seeded before every iteration from (seed,
      iteration, rank): MMEngine's checkpoints do not hold their states, and a network with
      dropout or stochastic depth draws from them.
    - A checkpoint from the middle of an epoch is refused.
    - So is a resumed run with another batch size over all ranks (:func:`check_batches`).
    - If the training set has grown or shrunk, iterations are counted as if it had always had
      its present size. Schedules that were converted from epochs to iterations cannot follow.

    It belongs into ``default_hooks``. Loops by iteration are left to MMEngine.

    Raises:
        ValueError: Before training, for what cannot be resumed, with the difference named.
    """

    # Before the hooks that prepare themselves for training.
    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._resumed: dict[str, int] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Put the plan of the batches into the checkpoint."""
        plan = BatchPlan.of(runner.train_dataloader, runner.world_size)
        checkpoint.setdefault("meta", {})[META_KEY] = asdict(plan)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the plan of a run that is resumed for :meth:`before_train`."""
        if runner._resume:
            self._resumed = checkpoint.get("meta", {}).get(META_KEY)

    def before_train(self, runner: Runner) -> None:
        """Compare the plans."""
        if self._resumed is None or not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        then = BatchPlan(**self._resumed)
        now = BatchPlan.of(runner.train_dataloader, runner.world_size)
        self._resumed = None
        warning = check_batches(then, now)
        if warning:
            runner.logger.warning(warning)
        check_position(runner.epoch, runner.iter, then.epoch_length)
        if now.epoch_length != then.epoch_length:
            _change_epoch_length(runner, then.epoch_length, now.epoch_length)

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what is drawn before the first iteration, in loading a batch for example."""
        _seed(runner.seed, runner.iter, get_rank(), 0)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        """Seed what the network draws."""
        _seed(runner.seed, runner.iter, get_rank(), 1)


def _seed(*numbers: int) -> None:
    words = np.random.SeedSequence(numbers, spawn_key=_SPAWN_KEY).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    torch.manual_seed(int(words[2]) << 32 | int(words[3]))


def _change_epoch_length(runner: Runner, then: int, now: int) -> None:
    configs = runner.cfg.get("param_scheduler") or []
    configs = [configs] if isinstance(configs, dict) else configs
    for config, scheduler in zip(configs, runner.param_schedulers or []):
        if config.get("convert_to_iter_based") and scheduler._global_step < scheduler.end:
            raise ValueError(
                f"An epoch had {then} iterations in the checkpoint and has {now} now, and "
                f"{config['type']} with convert_to_iter_based=True counts the old ones: resume "
                "with the old training set, or start another run from these weights with "
                "load_from instead of resume."
            )
    runner.logger.warning(
        f"An epoch had {then} iterations in the checkpoint and has {now} now: the run goes on at "
        f"iteration {runner.epoch * now} instead of {runner.iter}."
    )
    runner.train_loop._iter = runner.epoch * now
    runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
