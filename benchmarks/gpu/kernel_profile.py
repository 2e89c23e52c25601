"""Where the device's time of a training step goes, by torch.profiler.

Kernels are told apart by their names, first match first; what no pattern knows is ``other`` and is
to be read in the list of the longest ones.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import torch
from settings import Settings
from stage_file import Result
from timing import wait_for
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from training_step import TrainingStep, Variant

KINDS = {
    "fused by the compiler": r"^triton_",
    "layout": r"nchwtonhwc|nhwctonchw|ncdhw|tensor_?transform|transpose|permute",
    "batch norm": r"batch_?norm|bn_(fw|bw)|bnforward|bnbackward|welford",
    "convolution": r"conv(?!ert)|fprop|dgrad|wgrad|implicit|xmma|winograd|slow_conv|mkldnn",
    "matrix product": r"gemm|gemv|cublas|cutlass|matmul|addmm|::mm\b|wgmma|nvjet|splitk",
    "optimizer": r"multi_tensor|foreach|sgd",
    "copy": r"memcpy|memset|copy|_to_copy|::to\b|fill|zero_",
    "reduction": r"reduce|sum|mean|norm|sort|topk|argmax|amax",
    "elementwise": r"elementwise|relu|clamp|threshold|add|mul|where",
}
STEPS, LISTED = 3, 25


def kind_of(kernel: str) -> str:
    """What a kernel (or, on a CPU, an operator) is for, by its name."""
    lower = kernel.lower()
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, lower)), "other")


def measure(variant: Variant, settings: Settings) -> Result:
    """Shares of kinds, longest kernels, and the share of time in which the device worked."""
    if variant.compiled and settings.device.type == "cpu":
        return dict(skipped="not compiled on a CPU")
    torch.backends.cudnn.benchmark = variant.tuned
    step = TrainingStep(variant, settings)
    if variant.compiled:
        step.compile()
    for _ in range(1 if settings.small else 5):
        step()
    wait_for(settings.device)
    on_gpu = settings.device.type == "cuda"
    activities = [ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]
    with profile(activities=activities) as recorded:
        for _ in range(STEPS):
            step()
        wait_for(settings.device)
    return summary(kernel_events(recorded.events(), on_gpu))


def kernel_events(events: Any, on_gpu: bool) -> list[tuple[str, float, float, float]]:
    """Name, begin, end and own time of each kernel (operator on a CPU), in microseconds."""
    found = []
    for event in events:
        wanted = DeviceType.CUDA if on_gpu else DeviceType.CPU
        # Regions that the program marked span kernels that are listed themselves.
        if event.device_type != wanted or event.is_user_annotation:
            continue
        own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        found.append((event.name, event.time_range.start, event.time_range.end, own))
    return found


def summary(events: list[tuple[str, float, float, float]]) -> Result:
    """Sums of events, for one step.

    Raises:
        RuntimeError: If nothing was recorded.
    """
    if not events:
        raise RuntimeError("torch.profiler recorded nothing on this device.")
    times: dict[str, float] = defaultdict(float)
    calls: dict[str, int] = defaultdict(int)
    for name, _, _, own in events:
        times[name] += own
        calls[name] += 1
    total = sum(times.values())
    shares: dict[str, float] = defaultdict(float)
    for name, spent in times.items():
        shares[kind_of(name)] += spent / total
    longest = sorted(times, key=lambda name: -times[name])[:LISTED]
    begin, end = min(e[1] for e in events), max(e[2] for e in events)
    return dict(
        busy_ms=total / 1e3 / STEPS,
        span_ms=(end - begin) / 1e3 / STEPS,
        busy_share=total / (end - begin),
        shares=dict(sorted(shares.items(), key=lambda item: -item[1])),
        kernels=[
            dict(
                name=name[:160],
                kind=kind_of(name),
                calls=calls[name] / STEPS,
                ms=times[name] / 1e3 / STEPS,
                share=times[name] / total,
            )
            for name in longest
        ],
    )
