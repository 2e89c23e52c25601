"""Time, memory and arithmetic of a device, and its rate of matrix products."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from settings import Settings
from stage_file import Result

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = ("bf16", "tf32", "fp32", "fp16")


@contextlib.contextmanager
def arithmetic(precision: str, device: torch.device) -> Iterator[None]:
    """Use TF32 in products and convolutions for ``'tf32'`` only, and no oneDNN for half precision.

    oneDNN of torch 2.13 writes beyond its memory in a bfloat16 stem on a CPU
    (docs/precision_and_scale.md). For ``'bf16'`` and ``'fp16'`` add :func:`autocast`.
    """
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    allowed = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed
    unsafe = precision in HALF and device.type == "cpu"
    try:
        with torch.backends.mkldnn.flags(enabled=False) if unsafe else contextlib.nullcontext():
            yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Return a context of autocast to half precision, without effect for other precisions."""
    half = HALF.get(precision)
    return torch.autocast(device.type, half or torch.bfloat16, enabled=half is not None)


def synchronize(device: torch.device) -> None:
    """Wait until a device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_repeats(
    work: Callable[[], object], device: torch.device, repeats: int, warmup: int = 3
) -> dict[str, float]:
    """Measure the median, lowest and highest seconds of consecutive repetitions.

    On a GPU, times are measured between CUDA events. The host may run ahead as in training, and
    gaps in which the device waits for the host count. ``warmup`` repetitions come first, for
    compilation, caches and choices of algorithms.
    """
    for _ in range(warmup):
        work()
    synchronize(device)
    if device.type == "cuda":
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
        marks[0].record()
        for mark in marks[1:]:
            work()
            mark.record()
        synchronize(device)
        seconds = [begin.elapsed_time(end) / 1000 for begin, end in itertools.pairwise(marks)]
    else:
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    return dict(seconds=median, seconds_low=min(seconds), seconds_high=max(seconds))


def peak_mib(device: torch.device) -> float | None:
    """Return the peak memory of tensors since the last call in MiB; None on a CPU."""
    if device.type != "cuda":
        return None
    peak = torch.cuda.max_memory_allocated(device) / 2**20
    torch.cuda.reset_peak_memory_stats(device)
    return peak


def matrix_rate(precision: str, settings: Settings) -> Result:
    """Measure the operations per second of a product of two random square matrices.

    Zeros would draw less power and run faster than a training.
    """
    side, repeats = (256, 3) if settings.small else (8192, 30)
    dtype = HALF.get(precision, torch.float32)
    left, right = (torch.randn(side, side, device=settings.device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(left)
    with arithmetic(precision, settings.device):
        times = time_repeats(lambda: torch.mm(left, right, out=out), settings.device, repeats)
    return dict(tflops=2e-12 * side**3 / times["seconds"], side=side, **times)
