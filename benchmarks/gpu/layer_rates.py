"""Each convolution of R3D-18 alone, forward and backward: what the step cannot be faster than.

If these alone stay under the rate of matrix products, it is the convolutions' shapes (few channels,
a stem of three) that forbid more; if not, it is what lies between them.
"""

from __future__ import annotations

from typing import Any

import torch
from ceilings import DTYPES, arithmetic
from check_network import VIEWS, safe_half_precision
from settings import Settings
from stage_file import Result
from timing import repeat_seconds, spread
from torch import Tensor, nn
from training_step import HALF, build_network, count_flops

Shape = tuple[int, ...]


def convolutions(settings: Settings) -> dict[tuple[str, Shape], list[str]]:
    """Names of the convolutions that are alike, by what they are and the shape of their input.

    No arithmetic is done for it: the network runs on torch's ``meta`` device.
    """
    network = build_network(settings).backbone.to("meta")
    network.eval()  # returns None
    found: dict[tuple[str, Shape], list[str]] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Tensor]) -> None:
            found.setdefault((repr(module), tuple(args[0].shape[1:])), []).append(name)

        return hook

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv3d):
            module.register_forward_pre_hook(note(name))
    frames, side = (4, 16) if settings.small else (16, 128)
    network(torch.empty(1, 3, frames, side, side, device="meta"))
    return found


def measure(precision: str, videos: int, settings: Settings) -> Result:
    """Rates of all convolutions with channels last, and of all together as often as they occur."""
    torch.backends.cudnn.benchmark = True
    named = dict(build_network(settings).backbone.named_modules())
    layers: list[dict[str, Any]] = []
    for (_, shape), names in convolutions(settings).items():
        layer = named[names[0]].to(settings.device, DTYPES[precision])
        layer.to(memory_format=torch.channels_last_3d)
        timed = time_layer(layer, (videos * VIEWS, *shape), precision, names[0], settings)
        layers.append(dict(layer=names[0], times=len(names), input=list(shape), **timed))
    seconds = sum(layer["times"] * layer["seconds"] for layer in layers)
    flops = sum(layer["times"] * layer["flops"] for layer in layers)
    return dict(
        precision=precision,
        seconds=seconds,
        tflops=1e-12 * flops / seconds,
        flops=flops,
        layers=layers,
    )


def time_layer(
    layer: nn.Module, shape: Shape, precision: str, name: str, settings: Settings
) -> dict[str, float]:
    """A convolution forward and backward, on random data."""
    dtype = DTYPES[precision]
    rows = torch.randn(shape, device=settings.device, dtype=dtype)
    rows = rows.contiguous(memory_format=torch.channels_last_3d)
    rows.requires_grad_(name != "conv1.conv")  # clips need no gradient
    gradient = torch.randn_like(layer(rows))

    def work() -> None:
        rows.grad = None
        layer.zero_grad(set_to_none=True)
        layer(rows).backward(gradient)

    with arithmetic(precision), safe_half_precision(settings.device, HALF.get(precision)):
        flops = sum(count_flops(work).values())
        repeats, warmup = (1, 1) if settings.small else (10, 3)
        time = spread(repeat_seconds(work, settings.device, repeats, warmup))
    return dict(flops=flops, tflops=1e-12 * flops / time["seconds"], seconds=time["seconds"])
