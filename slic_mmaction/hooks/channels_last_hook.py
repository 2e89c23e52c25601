"""Convolutions with the channels last in memory, which some networks run faster with."""

from __future__ import annotations

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
    between keep it; nothing is copied where it is so already. Weights stay as they are, and so
    do checkpoints. Distributed training is not disturbed: it fixes the layout of gradients when
    it wraps a network, before any hook, and torch 2.13 permutes the gradients of weights that are
    laid out anew afterwards. The order of additions differs, so results are equal within rounding.

    Which networks it pays for: docs/backbones.md.
    """

    def before_run(self, runner: Runner) -> None:
        """Prepare the network, for training, clustering and evaluation alike."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        use_channels_last(model.backbone)


def use_channels_last(network: nn.Module) -> None:
    """Prepare all ``Conv2d`` and ``Conv3d`` of a network, in place."""
    layouts = {nn.Conv2d: torch.channels_last, nn.Conv3d: torch.channels_last_3d}
    for module in network.modules():
        for kind, layout in layouts.items():
            if isinstance(module, kind):
                module.register_forward_pre_hook(partial(_with_layout, layout))


def _with_layout(layout: torch.memory_format, _: nn.Module, args: tuple[Tensor]) -> Tensor:
    return args[0].contiguous(memory_format=layout)
