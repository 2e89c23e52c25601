"""Resuming a run exactly."""

from __future__ import annotations

import math
import random
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import CheckpointHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor
from torch.utils.data import DataLoader

from ..datasets.cluster_aware_dataset import ClusterAwareDataset

META_KEY = "batch_plan"
# Makes these seeds differ from those of ClusterAwareDataset.
_SPAWN_KEY = (1,)


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Resume a run so that it ends like an uninterrupted one, or refuse to resume it.

    - Every draw depends on the run's seed, the epoch and the iteration only. The sampler's order
      and the samples of :class:`ClusterAwareDataset` depend on (seed, epoch). Torch's, NumPy's and
      Python's generators, from which dropout and stochastic depth draw, are seeded before every
      iteration from (seed, iteration, rank), because MMEngine's checkpoints lack their states.
    - Checkpoints from the middle of an epoch or of a gradient accumulation are refused, and
      checkpoints that lack weights of the network, which MMEngine would leave random.
    - A run with another batch size over all ranks is refused (:func:`check_batches`).
    - If the size of the training set has changed, iterations are counted as if it had always had
      its present size. Schedules that were converted from epochs to iterations are refused.

    The hook must be in ``default_hooks``. In iteration-based loops, it only seeds the generators.

    Raises:
        ValueError: Before training, if the run cannot be resumed exactly.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> default_hooks = dict(exact_resume=dict(type="ExactResumeHook"))  # in a config
        >>> sorted(HOOKS.build(default_hooks["exact_resume"]).get_triggered_stages())
        ['after_load_checkpoint', 'before_save_checkpoint', 'before_train',
         'before_train_epoch', 'before_train_iter']
    """

    # Before the hooks that prepare for training.
    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._resumed: dict[str, int] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the batch plan to the checkpoint."""
        plan = BatchPlan.of(runner.train_dataloader, runner.world_size)
        checkpoint.setdefault("meta", {})[META_KEY] = plan._asdict()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check the weights of a resumed run, and keep its plan for :meth:`before_train`."""
        if runner._resume:
            _check_weights(runner, checkpoint["state_dict"])
            self._resumed = checkpoint.get("meta", {}).get(META_KEY)

    def before_train(self, runner: Runner) -> None:
        """Compare the plans, and check that this run can be resumed exactly."""
        loader = runner.train_dataloader
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        # A resumed run gets its seed from the checkpoint, after the sampler was built.
        if hasattr(loader.sampler, "seed"):
            own_seeds = runner._randomness_cfg.get("diff_rank_seed")
            # The samplers of all ranks share one seed.
            loader.sampler.seed = runner.seed - (get_rank() if own_seeds else 0)
        if self._resumed is not None:
            then, now = BatchPlan(**self._resumed), BatchPlan.of(loader, runner.world_size)
            self._resumed = None
            warning = check_batches(then, now)
            if warning:
                runner.logger.warning(warning)
            extra = runner.iter - runner.epoch * then.epoch_length
            if extra:
                raise ValueError(
                    f"The checkpoint was saved after iteration {extra} of {then.epoch_length} of "
                    f"epoch {runner.epoch + 1}, and resuming there would train these {extra} "
                    "batches twice: resume from a checkpoint that ends an epoch, as "
                    "CheckpointHook(by_epoch=True) saves them."
                )
            if now.epoch_length != then.epoch_length:
                _change_epoch_length(runner, then.epoch_length, now.epoch_length)
        _check_accumulation(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set seed and epoch of the samples, and seed the draws before the first iteration."""
        dataset = runner.train_dataloader.dataset
        if isinstance(dataset, ClusterAwareDataset):
            dataset.store.start_epoch(runner.seed, runner.epoch)
        _seed(runner.seed, runner.iter, get_rank(), 0)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        """Seed the network's draws."""
        _seed(runner.seed, runner.iter, get_rank(), 1)


class BatchPlan(NamedTuple):
    """The batches of a training; every checkpoint has the plan of its run."""

    ranks: int
    batch_size: int  # of one rank
    epoch_length: int  # in iterations

    @classmethod
    def of(cls, loader: DataLoader, ranks: int) -> BatchPlan:
        # A loader with its own batch sampler has no batch_size.
        batch_size: Any = loader.batch_size or getattr(loader.batch_sampler, "batch_size", 1)
        return cls(ranks, batch_size, len(loader))

    def __str__(self) -> str:
        return f"{self.ranks} ranks x batch_size {self.batch_size}"


def check_batches(then: BatchPlan, now: BatchPlan) -> str | None:
    """Compare a checkpoint's plan with that of the run that resumes it.

    The learning rate, the negatives of the triplet loss and BatchNorm depend on the batch size of
    all ranks together, so it must not change.

    Returns:
        A warning if the number of ranks has changed, or None.

    Raises:
        ValueError: If the batch size of all ranks together has changed.
    """
    total = then.ranks * then.batch_size
    if now.ranks * now.batch_size != total:
        fitting = f"set train_dataloader.batch_size={total // now.ranks}"
        if total % now.ranks:
            fitting = f"use a number of ranks that divides {total}"
        raise ValueError(
            f"The checkpoint was trained with {then} = {total} videos at once, but this run has "
            f"{now} = {now.ranks * now.batch_size}: {fitting} to resume, or start another run "
            "from these weights with load_from instead of resume."
        )
    if now.ranks != then.ranks:
        return (
            f"The checkpoint was trained with {then}, and this run continues with {now}: the "
            "batches are the same, but BatchNorm averages over other parts of them, so the result "
            "will not be bit-identical."
        )
    return None


def _check_weights(runner: Runner, saved: dict[str, Tensor]) -> None:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    shapes = {name.removeprefix("module."): value.shape for name, value in saved.items()}
    weights = model.state_dict()
    lacking = [name for name, value in weights.items() if shapes.get(name) != value.shape]
    if lacking:
        raise ValueError(
            f"The checkpoint lacks {len(lacking)} of {len(weights)} weights of the network, or has "
            f"them in another shape: {', '.join(lacking[:3])}. It is damaged or of another "
            "config: resume from another one, or start a new run from these weights with "
            "load_from instead of resume."
        )


def _check_accumulation(runner: Runner) -> None:
    """Refuse checkpoints within a gradient accumulation.

    MMEngine counts iterations over the whole run. If an epoch's number of iterations is not a
    multiple of ``accumulative_counts``, gradients are pending at its end. Checkpoints do not
    contain them: MMEngine drops them when it resumes, with a warning.
    """
    # An OptimWrapperDict does not accumulate.
    counts = getattr(runner.optim_wrapper, "_accumulative_counts", 1)
    per_epoch = len(runner.train_dataloader)
    # After multiples of this number of epochs, no gradients are pending.
    whole = counts // math.gcd(counts, per_epoch)
    remedy = (
        f"set default_hooks.checkpoint.interval to a multiple of {whole}, or "
        f"optim_wrapper.accumulative_counts to a divisor of {per_epoch}"
    )
    if runner.iter % counts:
        raise ValueError(
            f"The checkpoint was saved between two updates ({runner.iter} iterations, "
            f"accumulative_counts={counts}), without the pending gradients: resume from one whose "
            f"epoch is a multiple of {whole}. To avoid this, {remedy}."
        )
    for hook in runner.hooks:
        saves = isinstance(hook, CheckpointHook) and hook.by_epoch and hook.interval > 0
        if saves and hook.interval % whole:
            raise ValueError(
                f"An epoch has {per_epoch} iterations and accumulative_counts is {counts}, so a "
                f"checkpoint every {hook.interval} epochs would lose pending gradients: {remedy}."
            )


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
        f"An epoch had {then} iterations in the checkpoint and has {now} now: the run continues "
        f"at iteration {runner.epoch * now} instead of {runner.iter}."
    )
    runner.train_loop._iter = runner.epoch * now
    runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
