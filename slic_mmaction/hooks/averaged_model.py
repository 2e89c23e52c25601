"""The network whose weights MMEngine's EMAHook averages."""

from __future__ import annotations

from mmengine.hooks import EMAHook
from mmengine.model import BaseModel
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
