"""Every registered loss on the device against the same in float64 on the CPU.

Value, counters and gradient. Negatives are mined by the same random numbers on both (the device's
own generator would draw others). Mining compares distances: two that differ by less than float32's
rounding may swap, so float32 gets few videos, of which no two distances are that close.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from agreement import TOLERANCE, judge, relative_error
from mmaction.registry import MODELS
from settings import Settings
from stage_file import Result
from torch import Tensor

import slic_mmaction.losses

VIDEOS, VIEWS, CHANNELS, CLUSTERS = 48, 4, 128, 12
# Options beside the defaults, by name of the loss.
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "PseudoLabelTripletLoss": [
        dict(mining="hardest_violating"),
        dict(mining="random"),
        dict(metric="euclidean", margin=2.0),
    ],
    "PseudoLabelInfoNCELoss": [dict(queue_size=80, channels=CHANNELS)],
}


def registered_losses() -> list[str]:
    """Names of all losses of this package, as configs write them."""
    ours = slic_mmaction.losses.__name__
    found = {k for k, cls in MODELS.module_dict.items() if cls.__module__.startswith(ours)}
    return sorted(found)


def batch() -> tuple[Tensor, Tensor]:
    """Embeddings (N, V, D) float64 in overlapping clusters, and labels (N,), some of them noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLUSTERS, (VIDEOS,), generator=generator)
    centres = torch.randn(CLUSTERS, CHANNELS, dtype=torch.float64, generator=generator)
    noise = torch.randn(VIDEOS, VIEWS, CHANNELS, dtype=torch.float64, generator=generator)
    labels[:3] = -1
    return centres[labels][:, None] + 1.5 * noise, labels


def evaluate(
    config: dict[str, Any],
    embeddings: Tensor,
    labels: Tensor,
    dtype: torch.dtype,
    device: torch.device,
    autocast: torch.dtype | None = None,
) -> dict[str, Tensor]:
    """Scalars of a loss and the gradient of its sum.

    Args:
        config: Of the loss.
        embeddings: (N, V, D), rounded to ``autocast`` where that is given.
        labels: (N,) int64.
        dtype: Of the loss's buffers and, without ``autocast``, of the embeddings.
        device: Where to compute.
        autocast: Half precision to compute in, as in mixed precision training.
    """
    loss = MODELS.build(config).to(device, dtype)
    rows = embeddings.to(device, autocast or dtype).detach().requires_grad_()
    labels = labels.to(device)
    if getattr(loss, "queue", None) is not None:
        loss.queue.use_labels(labels)
        loss(rows.detach().flip(0), labels.flip(0))  # fills the queue
    with torch.autocast(device.type, autocast or torch.bfloat16, enabled=autocast is not None):
        scalars = loss(rows, labels, torch.Generator().manual_seed(1))
    total = sum(value for name, value in scalars.items() if "loss" in name)
    total.backward()
    assert rows.grad is not None
    return dict(scalars, gradient=rows.grad)


def compare(config: dict[str, Any], dtype: torch.dtype, settings: Settings) -> Result:
    """A loss in some precision; half precision is autocast on embeddings rounded to it."""
    embeddings, labels = batch()
    half = dtype if dtype in (torch.float16, torch.bfloat16) else None
    if half is not None:
        embeddings = embeddings.to(half).double()
    reference = evaluate(config, embeddings, labels, torch.float64, torch.device("cpu"))
    full = torch.float32 if half else dtype
    ours = evaluate(config, embeddings, labels, full, settings.device, half)
    errors = {name: relative_error(ours[name], reference[name]) for name in reference}
    if half is None:
        return judge(errors, TOLERANCE[dtype])
    # Losses leave autocast: only the gradient is rounded to half precision on its way out.
    gradient = errors.pop("gradient")
    values = judge(errors, TOLERANCE[torch.float32])
    return dict(values, passed=values["passed"] and gradient <= TOLERANCE[half], gradient=gradient)


def measurements(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Each loss with each set of options in each precision."""
    for name in registered_losses():
        for options in [{}, *OPTIONS.get(name, [])]:
            said = " ".join(f"{key}={value}" for key, value in options.items())
            for dtype in TOLERANCE:
                label = f"{name} {said}".strip() + f", {str(dtype).removeprefix('torch.')}"
                yield label, partial(compare, dict(type=name, **options), dtype, settings)
