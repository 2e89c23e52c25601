"""Convolutions in the channels-last memory format, which makes some networks faster."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from mmaction.registry import HOOKS
from mmcv.cnn.bricks.wrappers import Conv3d
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.functional import conv3d, pad


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Run a network's convolutions in the channels-last memory format.

    Inputs of convolutions are converted if necessary. Outputs keep the format, as do BatchNorm,
    activations and pooling. Two kinds of 3D layers that are slow in this format compute the
    same in another shape (:class:`FlatBatchNorm3d`, :class:`FoldedConv3d`). In a single process
    the weights are converted as well; checkpoints load into either format. Under distributed
    training the weights are not converted, because DistributedDataParallel fixes the layout of
    gradients before any hook, and torch 2.13 permutes the gradients of weights that are
    converted later. The order of additions differs, so results are equal up to rounding. See
    docs/backbones.md.

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
    for module in network.modules():
        if type(module) is nn.BatchNorm3d:
            module.__class__ = FlatBatchNorm3d
        elif isinstance(module, nn.Conv3d) and FoldedConv3d.suits(module):
            module.__class__ = FoldedConv3d
        elif isinstance(module, nn.ReLU):
            # In place on FlatBatchNorm3d's result, which is a view, gradients would be copied.
            module.inplace = False
    for module, layout in _convolutions(network):
        if not isinstance(module, FoldedConv3d):
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


class FlatBatchNorm3d(nn.BatchNorm3d):
    """``BatchNorm3d`` as a 2D one, with time and height as one axis, which computes the same.

    For channels last, torch has fast kernels in 2D only. In 3D, BatchNorm took 28% of a bfloat16
    training step of R3D-18 on an H200 (benchmarks/results/gpu).
    """

    def forward(self, clips: Tensor) -> Tensor:
        """Normalise clips (N, C, T, H, W)."""
        if not clips.is_contiguous(memory_format=torch.channels_last_3d):
            return super().forward(clips)
        frames = clips.permute(0, 2, 3, 4, 1).flatten(1, 2).permute(0, 3, 1, 2)
        frames = super().forward(frames)
        return frames.permute(0, 2, 3, 1).unflatten(1, clips.shape[2:4]).permute(0, 4, 1, 2, 3)

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept 4D, unlike the base class."""


class FoldedConv3d(nn.Conv3d):
    """``Conv3d`` with few channels and a stride, computed without the stride on more channels.

    The pixels that a stride of 1 x 2 x 2 spans become one pixel: 3 channels become 12, and zeros
    fill them up to 16, because a GPU's matrix units need a multiple of 8. The kernel is folded in
    the same way, so the result is the same up to rounding. cuDNN 9.19 runs the 7 x 7 x 7 stem of
    R3D-18 with 39 TFLOP/s forward and 83 backward in bfloat16 on an H200, and the other layers
    with 360 to 820 (benchmarks/results/gpu).
    """

    @staticmethod
    def suits(layer: nn.Conv3d) -> bool:
        """Return whether a convolution has few channels, a stride, and can be folded."""
        stock = type(layer) in (nn.Conv3d, Conv3d)
        plain = layer.groups == 1 and set(layer.dilation) == {1} and layer.padding_mode == "zeros"
        numbers = not isinstance(layer.padding, str)
        return stock and plain and numbers and layer.in_channels < 8 and max(layer.stride) > 1

    def forward(self, clips: Tensor) -> Tensor:
        """Convolve clips (N, C, T, H, W)."""
        device = clips.device.type
        if torch.is_autocast_enabled(device):
            clips = clips.to(torch.get_autocast_dtype(device))
        padding: list[int] = []
        around: list[int] = []  # of the clips and of the kernel, the last axis first
        taps_around: list[int] = []
        for axis, (kernel, stride) in enumerate(zip(self.kernel_size, self.stride)):
            size, before = clips.size(2 + axis), int(self.padding[axis])
            if stride == 1:
                padding.append(before)
                around, taps_around = [0, 0, *around], [0, 0, *taps_around]
                continue
            padding.append(0)
            # The kernel begins with zeros, so that it starts where a fold starts.
            lead = -before % stride
            folds = -(-(kernel + lead) // stride)
            taps_around = [lead, folds * stride - kernel - lead, *taps_around]
            total = ((size + 2 * before - kernel) // stride + folds) * stride
            around = [before + lead, total - size - before - lead, *around]
        clips, weight = pad(clips, around), pad(self.weight, taps_around)
        return conv3d(self._fold(clips), self._fold(weight), self.bias, padding=padding)

    def _fold(self, values: Tensor) -> Tensor:
        """Fold (N, C, T, H, W), whose sizes are multiples of the stride; channels last."""
        for axis, stride in zip((4, 3, 2), reversed(self.stride)):
            values = values.unflatten(axis, (-1, stride))
        folded = values.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4)
        channels = self.in_channels * math.prod(self.stride)
        return pad(folded, (0, -channels % 8)).permute(0, 4, 1, 2, 3)
