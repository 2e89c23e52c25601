"""The network that embeds the videos: the one in training, or EMAHook's average of it."""

from __future__ import annotations

from mmengine.hooks import EMAHook
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.runner import Runner


def averaged_model(runner: Runner) -> BaseModel:
    """Find the average that a run keeps of its weights.

    Args:
        runner (Runner): Whose training begins or goes on.

    Returns:
        BaseModel: Of the model's class. Its weights follow as training goes on.

    Raises:
        ValueError: If the run has no EMAHook.
    """
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            return hook.ema_model.module
    raise ValueError(
        "PseudoLabelHook(averaged=True) clusters by averaged weights, but nothing averages them: "
        "add dict(type='EMAHook', momentum=0.01, update_buffers=True) to custom_hooks."
    )


def embedding_model(runner: Runner, averaged: bool) -> BaseModel:
    """The network in training, unwrapped, or its average: see :func:`averaged_model`."""
    if averaged:
        return averaged_model(runner)
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
