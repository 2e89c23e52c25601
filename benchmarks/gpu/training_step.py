"""Training step of R3D-18 with the settings of configs/slic_r3d_ucf101.py, and its bounds.

A step has three views of 16 frames of 128x128 per video, the loss, gradients and SGD. The clips are
on the device. ``torch.utils.flop_counter`` counts the floating-point operations of a real step: of
convolutions and matrix products, forward and backward, with two for a multiplication and an
addition, including products with the zeros of the padding.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from device import arithmetic, autocast, peak_mib, synchronize, time_repeats
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from settings import ROOT, Settings
from stage_file import Result
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from slic_mmaction.hooks.channels_last_hook import lay_out_weights, use_channels_last

if TYPE_CHECKING:
    from mmaction.models.recognizers.base import BaseRecognizer

VIEWS = 3
PROFILED_STEPS, LISTED_KERNELS = 3, 12
# Kinds of kernels (or, on a CPU, operators) by patterns of their names; the first match counts.
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


@dataclass(frozen=True)
class Variant:
    """Variant of the training step.

    Attributes:
        precision: ``'fp32'``, ``'tf32'``, ``'bf16'`` or ``'fp16'`` (the latter two by autocast).
        layout: ``'usual'`` is torch's default; ``'loaded'`` has clips with channels last, as from
            this package's loader; ``'hook'`` has the configs' ChannelsLastHook.
        videos: Number of videos in a batch.
        compiled: Whether the backbone is compiled by ``torch.compile``.
    """

    precision: str = "bf16"
    layout: str = "hook"
    videos: int = 32
    compiled: bool = False

    def __str__(self) -> str:
        compiled = ", compiled" if self.compiled else ""
        return f"{self.precision}, {self.layout}, {self.videos} videos{compiled}"


def build_network(small: bool, mining: str = "random_violating") -> BaseRecognizer:
    """Build R3D-18 with SLICHead and fixed weights; an eighth of the width if small."""
    cfg = Config.fromfile(ROOT / "configs/slic_r3d_ucf101.py").model
    cfg.cls_head.losses[0].mining = mining
    if small:
        cfg.backbone.base_channels = 8
        cfg.cls_head.update(in_channels=64, hidden_channels=64)
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.backbone.init_weights()  # the model's would log every weight
    return model


def batch_samples(videos: int, device: torch.device) -> list[ActionDataSample]:
    """Make the data samples of a batch; two consecutive videos share a pseudo-label."""
    samples = []
    for video in range(videos):
        sample = ActionDataSample(metainfo=dict(draw_seed=video))
        sample.pseudo_label = torch.tensor([video // 2], device=device)
        sample.video_indices = torch.tensor([video] * VIEWS, device=device)
        samples.append(sample)
    return samples


def clip_shape(settings: Settings) -> tuple[int, ...]:
    """Return the channels, frames, height and width of a clip."""
    return (3, 4, 16, 16) if settings.small else (3, 16, 128, 128)


class TrainingStep:
    """Callable training step with a network, an optimizer and a batch of normalised noise."""

    def __init__(self, variant: Variant, settings: Settings) -> None:
        self.precision, self.device = variant.precision, settings.device
        self.model = build_network(settings.small).to(self.device).train()
        self.samples = batch_samples(variant.videos, self.device)
        clips = torch.randn(variant.videos * VIEWS, *clip_shape(settings), device=self.device)
        if variant.layout != "usual":
            clips = clips.contiguous(memory_format=torch.channels_last_3d)
        self.clips = clips.unflatten(0, (variant.videos, VIEWS))
        if variant.layout == "hook":
            use_channels_last(self.model.backbone)
            lay_out_weights(self.model.backbone)
        # Not 0, because a compiler could remove an optimizer that changes nothing.
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.5)

    def __call__(self) -> None:
        with arithmetic(self.precision, self.device):
            self.optimizer.zero_grad(set_to_none=True)
            with autocast(self.precision, self.device):
                scalars = self.model(self.clips, self.samples, mode="loss")
            self.model.parse_losses(scalars)[0].backward()
            self.optimizer.step()


def count_flops(variant: Variant, settings: Settings, operator: str = "") -> int:
    """Count the floating-point operations of a step in operators of torch with such a name.

    They are those of the usual layout: ChannelsLastHook adds products with zeros.
    """
    step = TrainingStep(replace(variant, layout="usual"), settings)
    counter = FlopCounterMode(display=False)
    with counter:
        step()
    counts = counter.get_flop_counts()["Global"]
    return sum(int(n) for op, n in counts.items() if operator in str(op))


def measure_step(variant: Variant, settings: Settings) -> Result:
    """Measure the seconds, operations per second and memory of a step."""
    flops = count_flops(variant, settings)
    step = TrainingStep(variant, settings)
    if variant.compiled:
        step.model.backbone.compile()
    peak_mib(settings.device)
    repeats, warmup = (2, 1) if settings.small else (12, 4)
    times = time_repeats(step, settings.device, repeats, warmup)
    return dict(
        precision=variant.precision,
        clips_per_s=variant.videos * VIEWS / times["seconds"],
        tflops=1e-12 * flops / times["seconds"],
        flops=flops,
        peak_mib=peak_mib(settings.device),
        **times,
    )


def profile_step(variant: Variant, settings: Settings) -> Result:
    """Measure the share of each kind of kernel, the longest kernels, and the share of busy time.

    ``convolution_tflops`` is the rate during convolutions. If it is far below that of matrix
    products, the step is bound by the shapes of the convolutions (few channels, a stem of three);
    otherwise, by the other kernels.
    """
    flops = count_flops(variant, settings, "convolution")
    step = TrainingStep(variant, settings)
    for _ in range(0 if settings.small else 4):
        step()
    synchronize(settings.device)
    on_gpu = settings.device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as run:
        for _ in range(PROFILED_STEPS):
            step()
        synchronize(settings.device)
    result = summarize_kernels(run.events(), on_gpu)
    seconds = 1e-3 * result["busy_ms"] * result["shares"].get("convolution", 0.0)
    rate = 1e-12 * flops / seconds if seconds else None
    return dict(result, precision=variant.precision, convolution_tflops=rate)


def kind_of(kernel: str) -> str:
    """Return the kind of a kernel; ``'other'`` if no pattern matches its name."""
    lower = kernel.lower()
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, lower)), "other")


def summarize_kernels(events: Any, on_gpu: bool) -> Result:
    """Sum the times of a profile's kernels (operators on a CPU) for one step."""
    times: dict[str, float] = defaultdict(float)
    shares: dict[str, float] = defaultdict(float)
    spans = []
    for event in events:
        # Regions marked by the program contain kernels that are also listed.
        wanted = DeviceType.CUDA if on_gpu else DeviceType.CPU
        if event.device_type == wanted and not event.is_user_annotation:
            own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
            times[event.name] += own
            shares[kind_of(event.name)] += own
            spans.append((event.time_range.start, event.time_range.end))
    if not spans:
        raise RuntimeError("torch.profiler recorded nothing on this device.")
    total = sum(times.values())
    span = max(end for _, end in spans) - min(begin for begin, _ in spans)
    longest = sorted(times, key=lambda name: -times[name])[:LISTED_KERNELS]
    ms = 1e-3 / PROFILED_STEPS
    kernels = [
        dict(name=k[:160], kind=kind_of(k), ms=times[k] * ms, share=times[k] / total)
        for k in longest
    ]
    shares = {k: v / total for k, v in sorted(shares.items(), key=lambda item: -item[1])}
    return dict(busy_ms=total * ms, span_ms=span * ms, shares=shares, kernels=kernels)
