"""Convolutions with the channels last in memory, which some networks run faster with."""

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
    """Let a network's convolutions work with the channels last in memory.

    Each gets its input so and returns its output so, and BatchNorm, activations and pooling in
    between keep it; nothing is copied where it is so already. Its weights are laid out so, too, in
    one process; checkpoints load into either layout. Under distributed training weights stay as
    they are: it fixes the layout of gradients when it wraps a network, before any hook, and torch
    2.13 permutes the gradients of weights that are laid out anew afterwards. The order of additions
    differs, so results are equal within rounding.

    See docs/backbones.md.

    Args:
        devices: Types of devices on which the hook does anything.
    """

    def __init__(self, devices: Sequence[str] = ("cpu", "cuda")) -> None:
        self.devices = devices

    def before_run(self, runner: Runner) -> None:
        """Prepare the network, for training, clustering and evaluation alike."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if next(model.parameters()).device.type in self.devices:
            use_channels_last(model.backbone)

    def before_train(self, runner: Runner) -> None:
        """Lay out the weights: random ones are drawn in the order in which they lie before."""
        if is_model_wrapper(runner.model):
            return
        if next(runner.model.parameters()).device.type in self.devices:
            lay_out_weights(runner.model.backbone)


def use_channels_last(network: nn.Module) -> None:
    """Have all ``Conv2d`` and ``Conv3d`` of a network take their inputs so, in place."""
    for module, layout in _convolutions(network):
        module.register_forward_pre_hook(partial(_with_layout, layout))


def lay_out_weights(network: nn.Module) -> None:
    """Lay out the weights of all ``Conv2d`` and ``Conv3d`` of a network so, in place."""
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
