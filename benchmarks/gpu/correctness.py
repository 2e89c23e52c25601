"""Stage 1: compare results of the device with those of the CPU.

The reference of losses and networks is float64 on the CPU. Negatives are mined with the same random
numbers on both, or with ``hardest_violating``, because the device's generator draws other numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from device import HALF, arithmetic, autocast
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from settings import ROOT, Settings
from stage_file import Result, markdown
from torch import Tensor
from torch.nn.functional import interpolate
from training_step import VIEWS, batch_samples, build_network

import slic_mmaction.losses
from slic_mmaction.clustering import finch, first_neighbors
from slic_mmaction.hooks.channels_last_hook import lay_out_weights, use_channels_last
from slic_mmaction.transforms.clip_augment import change_appearance
from slic_mmaction.transforms.clip_draws import UNIFORMS, draw_clips

CPU = torch.device("cpu")
# Dtype, and tolerance of ||out - reference|| / ||reference||: many times the effect of another
# order of sums, and far below that of a wrong formula. Half precision is autocast.
PRECISIONS = {
    "float64": (torch.float64, 1e-10),
    "float32": (torch.float32, 1e-4),
    "fp16": (torch.float16, 5e-3),
    "bf16": (torch.bfloat16, 3e-2),
}
COUNTERS = 1e-6
CHANNELS = 128
# Options of losses to test in addition to the defaults.
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "PseudoLabelTripletLoss": [
        dict(mining="hardest_violating"),
        dict(mining="random"),
        dict(metric="euclidean", margin=2.0),
    ],
    "PseudoLabelInfoNCELoss": [dict(queue_size=80, channels=CHANNELS)],
}
# Grey levels of 0..255: mean and largest difference between devices, mean to the worker's path.
# Rounding to whole levels may fall to either side after every step.
DEVICE_MEAN, DEVICE_MAX, WORKER_MEAN = 0.02, 8.0, 2.0


def relative_error(out: Tensor, reference: Tensor) -> float:
    """Compute ``||out - reference|| / ||reference||`` in float64; infinite if ``out`` is not."""
    ours, theirs = out.detach().cpu().double(), reference.detach().cpu().double()
    if not bool(ours.isfinite().all()):
        return math.inf
    return float((ours - theirs).norm()) / (float(theirs.norm()) or 1.0)


def judge(errors: Mapping[str, float], tolerance: float, **more: Any) -> Result:
    """Return the largest error, and whether it is within the tolerance."""
    worst = max(errors, key=lambda name: errors[name])
    passed = errors[worst] <= tolerance
    return dict(passed=passed, error=errors[worst], where=worst, tolerance=tolerance, **more)


def registered_losses() -> list[str]:
    """Return the registered names of all losses of this package."""
    ours = slic_mmaction.losses.__name__
    return sorted(k for k, cls in MODELS.module_dict.items() if cls.__module__.startswith(ours))


def loss_batch() -> tuple[Tensor, Tensor]:
    """Draw embeddings (48, 4, D) float64 in overlapping clusters, and labels (48,) with noise.

    With so few, no two distances are as close as float32 rounds, which could change the mining.
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(12, (48,), generator=generator)
    centres = torch.randn(12, CHANNELS, dtype=torch.float64, generator=generator)
    noise = torch.randn(48, 4, CHANNELS, dtype=torch.float64, generator=generator)
    labels[:3] = -1
    return centres[labels][:, None] + 1.5 * noise, labels


def run_loss(
    config: dict[str, Any], rows: Tensor, labels: Tensor, precision: str, device: torch.device
) -> dict[str, Tensor]:
    """Compute the scalars of a loss, and the gradient of their sum."""
    dtype, _ = PRECISIONS[precision]
    full = torch.float32 if precision in HALF else dtype
    loss = MODELS.build(config).to(device, full)
    rows, labels = rows.to(device, dtype).detach().requires_grad_(), labels.to(device)
    if getattr(loss, "queue", None) is not None:
        loss.queue.use_labels(labels)
        loss(rows.detach().flip(0), labels.flip(0))  # fills the queue
    with autocast(precision, device):
        scalars = loss(rows, labels, torch.Generator().manual_seed(1))
    sum(value for name, value in scalars.items() if "loss" in name).backward()
    assert rows.grad is not None
    return dict(scalars, gradient=rows.grad)


def check_loss(config: dict[str, Any], precision: str, settings: Settings) -> Result:
    """Check a loss; in half precision under autocast, on rounded embeddings."""
    dtype, tolerance = PRECISIONS[precision]
    rows, labels = loss_batch()
    if precision in HALF:
        rows = rows.to(dtype).double()
    reference = run_loss(config, rows, labels, "float64", CPU)
    ours = run_loss(config, rows, labels, precision, settings.device)
    errors = {name: relative_error(ours[name], reference[name]) for name in reference}
    if precision == "float64":
        # Counters are always float32.
        counters = [n for n, value in reference.items() if value.dtype == torch.float32]
        worst = max((errors.pop(name) for name in counters), default=0.0)
        found = judge(errors, tolerance, counters=worst)
        return dict(found, passed=found["passed"] and worst <= COUNTERS)
    if precision not in HALF:
        return judge(errors, tolerance)
    # Losses disable autocast: only the returned gradient is rounded to half precision.
    gradient = errors.pop("gradient")
    values = judge(errors, PRECISIONS["float32"][1])
    return dict(values, passed=values["passed"] and gradient <= tolerance, gradient=gradient)


def run_step(clips: Tensor, precision: str, device: torch.device) -> dict[str, Tensor]:
    """Compute loss, gradients and BatchNorm statistics of a training step of a narrow R3D-18.

    On a GPU, the network is laid out as by ChannelsLastHook.
    """
    full = torch.float64 if precision == "float64" else torch.float32
    model = build_network(small=True, mining="hardest_violating").to(device, full).train()
    if device.type == "cuda":
        use_channels_last(model.backbone)
        lay_out_weights(model.backbone)
    with arithmetic(precision, device):
        with autocast(precision, device):
            samples = batch_samples(len(clips), device)
            scalars = model(clips.to(device, full), samples, mode="loss")
        loss, _ = model.parse_losses(scalars)
        loss.backward()
    gradients = [w.grad.flatten() for w in model.parameters() if w.grad is not None]
    running = [b.flatten() for name, b in model.named_buffers() if "running" in name]
    return dict(loss=loss, gradients=torch.cat(gradients), statistics=torch.cat(running))


@cache
def step_reference(small: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Return clips for :func:`run_step`, and its result in float64 on the CPU."""
    videos, frames, side = (4, 4, 16) if small else (8, 8, 56)
    generator = torch.Generator().manual_seed(2)
    shape = (videos, VIEWS, 3, frames, side, side)
    clips = torch.randn(shape, dtype=torch.float64, generator=generator)
    return clips, run_step(clips, "float64", CPU)


def check_step(precision: str, settings: Settings) -> Result:
    """Check loss, statistics and, except in half precision, gradients of a training step."""
    clips, reference = step_reference(settings.small)
    ours = run_step(clips, precision, settings.device)
    errors = {name: relative_error(ours[name], reference[name]) for name in reference}
    _, tolerance = PRECISIONS[precision]
    if precision in HALF:
        # BatchNorm over few small clips magnifies rounding on any device: reported, not checked.
        gradients = errors.pop("gradients")
        return judge(errors, tolerance, gradients=gradients)
    # Twenty layers, each with rounding errors.
    return judge(errors, 10 * tolerance)


def smooth_clips(count: int, frames: int, side: int) -> Tensor:
    """Generate colours that change over time and space: (count, V, 3, T, H, W) uint8."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.randint(256, (count * VIEWS, 3, 2, 8, 8), generator=generator).float()
    clips = interpolate(coarse, (frames, side, side), mode="trilinear").byte()
    # Channels last in memory, as decoders return them.
    return clips.contiguous(memory_format=torch.channels_last_3d).unflatten(0, (count, VIEWS))


def check_augmentation(settings: Settings) -> Result:
    """Compare SLICDataPreprocessor with itself on the CPU and with a loader worker's transforms."""
    count, frames, side = (6, 3, 24) if settings.small else (32, 16, 128)
    clips = smooth_clips(count, frames, side)
    config = Config.fromfile(ROOT / "configs/slic_r3d_ucf101.py").model.data_preprocessor
    uniforms = np.random.default_rng(0).random((count, VIEWS, UNIFORMS))
    samples = [ActionDataSample(metainfo=dict(clip_draws=row)) for row in uniforms]

    def augmented(device: torch.device) -> Tensor:
        preprocessor = MODELS.build(config).to(device)
        batch = dict(inputs=list(clips.to(device)), data_samples=samples)
        mean, std = (v.view(3, 1, 1, 1) for v in (preprocessor.mean, preprocessor.std))
        return (preprocessor(batch, training=True)["inputs"].double() * std + mean).cpu()

    appearance = MODELS.build(config).appearance
    draws = draw_clips(uniforms.reshape(-1, UNIFORMS), appearance)
    flat = clips.flatten(0, 1).permute(0, 2, 3, 4, 1).clone().numpy()
    worker = np.stack(
        [change_appearance(c, draws, i, appearance, is_flow=False) for i, c in enumerate(flat)]
    )
    ours = augmented(settings.device)
    to_cpu = (ours - augmented(CPU)).abs()
    by_worker = torch.from_numpy(worker).permute(0, 4, 1, 2, 3).double().view_as(ours)
    per_clip = float((ours - by_worker).abs().mean(dim=(2, 3, 4, 5)).max())
    mean, largest = float(to_cpu.mean()), float(to_cpu.max())
    return dict(
        passed=mean <= DEVICE_MEAN and largest <= DEVICE_MAX and per_clip <= WORKER_MEAN,
        error=largest,
        tolerance=DEVICE_MAX,
        mean_to_cpu=mean,
        worst_clip_mean_to_worker=per_clip,
    )


def points(count: int) -> Tensor:
    """Draw (count, 128) float32 in overlapping groups of about thirty, with some duplicates."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(max(1, count // 30), CHANNELS, generator=generator)
    own = torch.randint(len(centres), (count,), generator=generator)
    rows = centres[own] + 0.7 * torch.randn(count, CHANNELS, generator=generator)
    rows[: count // 100] = rows[-(count // 100) :]
    return rows


def check_clustering(metric: str, settings: Settings) -> Result:
    """Check that first neighbours and all FINCH levels are equal; near ties use float64."""
    rows = points(600 if settings.small else 10_000)
    ours = rows.to(settings.device)
    differ = int((first_neighbors(rows, metric) != first_neighbors(ours, metric)).sum())
    equal = np.array_equal(finch(rows, metric).labels, finch(ours, metric).labels)
    return dict(passed=differ == 0 and equal, neighbours_that_differ=differ, labels_equal=equal)


def measurements(settings: Settings) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Yield all checks, the most important for training first."""
    for precision in PRECISIONS:
        yield f"training step, {precision}", partial(check_step, precision, settings)
    yield "augmentation", partial(check_augmentation, settings)
    for metric in ("cosine", "euclidean"):
        yield f"FINCH, {metric}", partial(check_clustering, metric, settings)
    for name in registered_losses():
        for options in [{}, *OPTIONS.get(name, [])]:
            said = "".join(f" {key}={value}" for key, value in options.items())
            for precision in PRECISIONS:
                config = dict(type=name, **options)
                yield f"{name}{said}, {precision}", partial(check_loss, config, precision, settings)


def table(results: dict[str, Result]) -> str:
    """Format a table with a line for each check."""
    rows = []
    for name, result in results.items():
        failed = result.get("failed")
        verdict = "failed" if failed else result["passed"]
        remark = failed or result.get("where")
        rows.append([name, verdict, result.get("error"), result.get("tolerance"), remark])
    return markdown(["check", "as expected", "largest error", "tolerance", "remark"], rows)
