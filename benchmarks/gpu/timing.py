"""Seconds and memory of work on a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def repeat_seconds(
    work: Callable[[], object], device: torch.device, repeats: int, warmup: int = 3
) -> list[float]:
    """Seconds of each of some repetitions, one right after the other.

    On a GPU they are the device's own, by events between the repetitions: the host may run ahead
    as it does in training, and gaps in which the device waits for it count.

    Args:
        work: Gives the device something to do.
        device: That device.
        repeats: How often it is timed.
        warmup: How often it runs before, for compilation, caches and choices of algorithms.

    Returns:
        One time for each repetition.
    """
    for _ in range(warmup):
        work()
    wait_for(device)
    if device.type != "cuda":
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return times
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    marks[0].record()
    for mark in marks[1:]:
        work()
        mark.record()
    wait_for(device)
    return [begin.elapsed_time(end) / 1000 for begin, end in zip(marks, marks[1:])]


def spread(seconds: list[float]) -> dict[str, float]:
    """Median, lowest and highest of some times."""
    return dict(
        seconds=statistics.median(seconds),
        seconds_low=min(seconds),
        seconds_high=max(seconds),
        repeats=len(seconds),
    )


def reset_peak(device: torch.device) -> None:
    """Start a new peak of memory."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_mib(device: torch.device) -> float | None:
    """Most memory in tensors since :func:`reset_peak`; None on a CPU, where none is counted."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None
