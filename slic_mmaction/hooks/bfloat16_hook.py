"""Training in bfloat16 on devices that support it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner


@HOOKS.register_module()
class BFloat16Hook(Hook):
    """Compute the losses of a training under bfloat16 autocast on GPUs, and in float32 elsewhere.

    ``AmpOptimWrapper(dtype='bfloat16')`` works on GPUs only, and its loss scaling, which bfloat16
    does not need, makes the host wait for the device in every step. If a config uses
    ``AmpOptimWrapper`` (``--amp``), this hook does nothing. Clustering and evaluation use float32.

    Args:
        devices: Types of devices that use bfloat16. GPUs older than Ampere never do.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> custom_hooks = [dict(type="BFloat16Hook")]  # in a config
        >>> HOOKS.build(custom_hooks[0]).devices
        ('cuda',)
    """

    def __init__(self, devices: Sequence[str] = ("cuda",)) -> None:
        self.devices = devices

    def before_run(self, runner: Runner) -> None:
        """Prepare the network."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        device = next(model.parameters()).device
        if device.type not in self.devices or isinstance(runner.optim_wrapper, AmpOptimWrapper):
            return
        if device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0):
            return
        model.loss = torch.autocast(device.type, torch.bfloat16)(model.loss)
