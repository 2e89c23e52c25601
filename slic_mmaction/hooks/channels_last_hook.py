"""Convolutions in the channels-last memory format, which makes some networks faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Run a network's convolutions in the channels-last memory format.

    Inputs of convolutions are converted if necessary. Outputs keep the format, as do BatchNorm,
    activations and pooling. In a single process the weights are converted as well; checkpoints
    load into either format. Under distributed training the weights are not converted, because
    DistributedDataParallel fixes the layout of gradients before any hook, and torch 2.13 permutes
    the gradients of weights that are converted later. The order of additions differs, so results
    are equal up to rounding. See docs/backbones.md.

    Args:
        devices: Types of devices on which the hook is active.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> custom_hooks = [dict(type="ChannelsLastHook", devices=["cuda"])]  # in a config
        >>> HOOKS.build(custom_hooks[0]).devices
        ['cuda']
    """

    def __init__(self, devices: Sequence[str] = ("cpu", "cuda")) -> None:
        self.devices = devices

    def before_run(self, runner: Runner) -> None:
        """Prepare the network for training, clustering and evaluation."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if next(model.parameters()).device.type in self.devices:
            use_channels_last(model.backbone)

    def before_train(self, runner: Runner) -> None:
        """Convert the weights, after they were initialised in their original order."""
        if is_model_wrapper(runner.model):
            return
        if next(runner.model.parameters()).device.type in self.devices:
            lay_out_weights(runner.model.backbone)


def use_channels_last(network: nn.Module) -> None:
    """Convert the inputs of all ``Conv2d`` and ``Conv3d`` of a network to channels last."""
    for module, layout in _convolutions(network):
        module.register_forward_pre_hook(partial(_with_layout, layout))


def lay_out_weights(network: nn.Module) -> None:
    """Convert the weights of all ``Conv2d`` and ``Conv3d`` of a network to channels last."""
    for module, layout in _convolutions(network):
        module.weight.data = module.weight.data.contiguous(memory_format=layout)


def _convolutions(
    network: nn.Module,
) -> Iterator[tuple[nn.Conv2d | nn.Conv3d, torch.memory_format]]:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            yield module, torch.channels_last
        elif isinstance(module, nn.Conv3d):
            yield module, torch.channels_last_3d


def _with_layout(layout: torch.memory_format, _: nn.Module, args: tuple[Tensor]) -> Tensor:
    return args[0].contiguous(memory_format=layout)
