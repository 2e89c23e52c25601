"""A resumed run that is the interrupted one."""

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
# Keeps these seeds apart from those of ClusterAwareDataset.
_SPAWN_KEY = (1,)


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Resume a run so that it ends like one that was never interrupted, or refuse.

    - Every draw depends on the run's seed and the time alone. The sampler's order and the samples
      of :class:`ClusterAwareDataset` follow from (seed, epoch). Torch's, NumPy's and Python's
      generators are seeded before every iteration from (seed, iteration, rank): MMEngine's
      checkpoints do not hold their states, and a network with dropout or stochastic depth draws
      from them.
    - A checkpoint from the middle of an epoch, or of a sum of gradients, is refused, and one that
      lacks weights of the network: MMEngine would go on from random ones.
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
        checkpoint.setdefault("meta", {})[META_KEY] = plan._asdict()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check the weights of a resumed run; keep its plan for :meth:`before_train`."""
        if runner._resume:
            _check_weights(runner, checkpoint["state_dict"])
            self._resumed = checkpoint.get("meta", {}).get(META_KEY)

    def before_train(self, runner: Runner) -> None:
        """Compare the plans, and see that the next resumed run can be exact, too."""
        loader = runner.train_dataloader
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        # A resumed run takes its seed from the checkpoint, after the sampler was built.
        own_seeds = runner._randomness_cfg.get("diff_rank_seed")  # the sampler's is common to all
        if hasattr(loader.sampler, "seed") and not own_seeds:
            loader.sampler.seed = runner.seed
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
        """Set the clock of the samples; seed what is drawn before the first iteration."""
        dataset = runner.train_dataloader.dataset
        if isinstance(dataset, ClusterAwareDataset):
            dataset.store.start_epoch(runner.seed, runner.epoch)
        _seed(runner.seed, runner.iter, get_rank(), 0)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        """Seed what the network draws."""
        _seed(runner.seed, runner.iter, get_rank(), 1)


class BatchPlan(NamedTuple):
    """How a training set is cut into batches. A checkpoint carries its own."""

    ranks: int
    batch_size: int  # of one rank
    epoch_length: int  # in iterations

    @classmethod
    def of(cls, loader: DataLoader, ranks: int) -> BatchPlan:
        # A loader with a batch sampler of its own has no batch_size.
        batch_size: Any = loader.batch_size or getattr(loader.batch_sampler, "batch_size", 1)
        return cls(ranks, batch_size, len(loader))

    def __str__(self) -> str:
        return f"{self.ranks} ranks x batch_size {self.batch_size}"


def check_batches(then: BatchPlan, now: BatchPlan) -> str | None:
    """Compare a checkpoint's plan with that of the run which resumes it.

    The learning rate, the negatives of the triplet loss and BatchNorm depend on the batch of
    all ranks together, so that one must not change unnoticed.

    Returns:
        A warning, if the same batch is shared by another number of ranks.

    Raises:
        ValueError: If the batch of all ranks together has changed.
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
            f"The checkpoint was trained with {then}, this run goes on with {now}: the same "
            "batches, but BatchNorm averages over other parts of them, so the result will not be "
            "bit-identical."
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
    """Refuse checkpoints that cut a sum of gradients in two.

    MMEngine counts iterations over the whole run, so where an epoch's number of iterations is no
    multiple of ``accumulative_counts``, gradients are pending at its end. They are in no
    checkpoint: MMEngine drops them when it resumes, with a warning.
    """
    # An OptimWrapperDict does not accumulate.
    counts = getattr(runner.optim_wrapper, "_accumulative_counts", 1)
    per_epoch = len(runner.train_dataloader)
    # After this many epochs, and its multiples, nothing is pending.
    whole = counts // math.gcd(counts, per_epoch)
    remedy = (
        f"set default_hooks.checkpoint.interval to a multiple of {whole}, or "
        f"optim_wrapper.accumulative_counts to a divisor of {per_epoch}"
    )
    if runner.iter % counts:
        raise ValueError(
            f"The checkpoint was saved between two updates ({runner.iter} iterations, "
            f"accumulative_counts={counts}), and pending gradients are in no checkpoint: resume "
            f"from one whose epoch is a multiple of {whole}; for the next time {remedy}."
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
        f"An epoch had {then} iterations in the checkpoint and has {now} now: the run goes on at "
        f"iteration {runner.epoch * now} instead of {runner.iter}."
    )
    runner.train_loop._iter = runner.epoch * now
    runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
