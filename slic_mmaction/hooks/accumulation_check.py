"""Gradient accumulation and checkpoints: a checkpoint must not cut a sum of gradients in two."""

from __future__ import annotations

import math

from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner


def check_accumulation(runner: Runner) -> None:
    """Refuse checkpoints from which a run could not be resumed exactly.

    MMEngine counts iterations over the whole run, so where an epoch's number of iterations is no
    multiple of ``accumulative_counts``, gradients are pending at its end. They are in no
    checkpoint: MMEngine drops them when it resumes, with a warning.

    Args:
        runner (Runner): About to train, by epoch.

    Raises:
        ValueError: If checkpoints are saved, or this run was resumed, while gradients are pending.
    """
    # An OptimWrapperDict does not accumulate.
    counts = getattr(runner.optim_wrapper, "_accumulative_counts", 1)
    per_epoch = len(runner.train_dataloader)
    # After this many epochs, and its multiples, nothing is pending.
    whole = counts // math.gcd(counts, per_epoch)
    mend = (
        f"set default_hooks.checkpoint.interval to a multiple of {whole}, or "
        f"optim_wrapper.accumulative_counts to a divisor of {per_epoch}"
    )
    if runner.iter % counts:
        raise ValueError(
            f"The checkpoint was saved between two updates ({runner.iter} iterations, "
            f"accumulative_counts={counts}), and pending gradients are in no checkpoint: resume "
            f"from one whose epoch is a multiple of {whole}; for the next time {mend}."
        )
    for hook in runner.hooks:
        saves = isinstance(hook, CheckpointHook) and hook.by_epoch and hook.interval > 0
        if saves and hook.interval % whole:
            raise ValueError(
                f"An epoch has {per_epoch} iterations and accumulative_counts is {counts}, so a "
                f"checkpoint every {hook.interval} epochs would lose pending gradients: {mend}."
            )
