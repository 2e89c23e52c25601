"""The training step of R3D-18 as configs/slic_r3d_ucf101.py has it, on clips that lie ready.

Three views of 16 frames of 128x128 for each video; loss, gradients, SGD. Its floating-point
operations are counted by ``torch.utils.flop_counter`` in a step that really runs: those of
convolutions and matrix products, forward and backward, two for a multiplication and an addition
(products with the zeros of the padding count as well).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from ceilings import arithmetic
from check_network import VIEWS, safe_half_precision, samples
from mmaction.registry import MODELS
from mmengine.config import Config
from settings import ROOT, Settings
from stage_file import Result
from timing import peak_mib, repeat_seconds, reset_peak, spread
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from slic_mmaction.hooks.channels_last_hook import use_channels_last

if TYPE_CHECKING:
    from mmaction.models.recognizers.base import BaseRecognizer

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
LAYOUTS = ("usual", "loaded", "hook", "weights")


@dataclass(frozen=True)
class Variant:
    """A way to do the step.

    Attributes:
        precision: ``'fp32'``, ``'tf32'``, ``'bf16'`` or ``'fp16'`` (the latter two by autocast).
        layout: ``'usual'`` is torch's; ``'loaded'`` has the clips with channels last, as our
            loader hands them out; ``'hook'`` that under ChannelsLastHook; ``'weights'`` clips and
            weights with channels last.
        videos: In a batch.
        compiled: Whether ``torch.compile`` has the backbone.
        tuned: Whether cuDNN tries its algorithms (``cudnn_benchmark`` of a config).
    """

    precision: str = "bf16"
    layout: str = "weights"
    videos: int = 32
    compiled: bool = False
    tuned: bool = True

    def __str__(self) -> str:
        said = f"{self.precision}, {self.layout}, {self.videos} videos"
        return (
            said + (", compiled" if self.compiled else "") + ("" if self.tuned else ", not tuned")
        )


class TrainingStep:
    """A network, an optimizer and a batch; calling it does a step.

    Args:
        variant: How.
        settings: Of the call.
    """

    def __init__(self, variant: Variant, settings: Settings) -> None:
        self.variant = variant
        self.device = settings.device
        self.model = build_network(settings).to(settings.device).train()
        self.clips = random_clips(variant, settings)
        if variant.layout == "hook":
            use_channels_last(self.model.backbone)
        if variant.layout == "weights":
            self.model.backbone.to(memory_format=torch.channels_last_3d)
        self.samples = samples(variant.videos, settings.device)
        # Not 0: an optimizer that changes nothing could be noticed by a compiler.
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.5)

    def compile(self) -> None:
        """Hand the backbone to torch.compile."""
        self.model.backbone.compile()

    def __call__(self) -> None:
        half = HALF.get(self.variant.precision)
        with arithmetic(self.variant.precision), safe_half_precision(self.device, half):
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast(self.device.type, half or torch.bfloat16, enabled=half is not None):
                scalars = self.model(self.clips, self.samples, mode="loss")
            loss, _ = self.model.parse_losses(scalars)
            loss.backward()
            self.optimizer.step()


def build_network(settings: Settings) -> BaseRecognizer:
    """R3D-18 with SLICHead, weights random; an eighth of the width for a trial."""
    cfg = Config.fromfile(ROOT / "configs/slic_r3d_ucf101.py").model
    if settings.small:
        cfg.backbone.base_channels = 8
        cfg.cls_head.update(in_channels=64, hidden_channels=64)
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.backbone.init_weights()
    return model


def random_clips(variant: Variant, settings: Settings) -> Tensor:
    """Normalised noise (N, V, 3, T, H, W), in the memory layout of the variant."""
    frames, side = (4, 16) if settings.small else (16, 128)
    shape = (variant.videos * VIEWS, 3, frames, side, side)
    clips = torch.randn(shape, device=settings.device)
    if variant.layout != "usual":
        clips = clips.contiguous(memory_format=torch.channels_last_3d)
    return clips.unflatten(0, (variant.videos, VIEWS))


def count_flops(work: Callable[[], object]) -> dict[str, int]:
    """Floating-point operations of some work, by torch's operator."""
    counter = FlopCounterMode(display=False)
    with counter:
        work()
    return {str(op): int(n) for op, n in counter.get_flop_counts()["Global"].items()}


def measure(variant: Variant, settings: Settings) -> Result:
    """Seconds, operations per second and memory of a step."""
    if variant.compiled and settings.device.type == "cpu":
        return dict(skipped="compiling for a CPU takes minutes and gains nothing")
    torch.backends.cudnn.benchmark = variant.tuned
    step = TrainingStep(variant, settings)
    flops = count_flops(step)
    if variant.compiled:
        step.compile()
    reset_peak(settings.device)
    repeats, warmup = (3, 1) if settings.small else (20, 5)
    time = spread(repeat_seconds(step, settings.device, repeats, warmup))
    total = sum(flops.values())
    return dict(
        precision=variant.precision,
        clips_per_s=variant.videos * VIEWS / time["seconds"],
        tflops=1e-12 * total / time["seconds"],
        flops=total,
        flops_by_operator=flops,
        peak_mib=peak_mib(settings.device),
        **time,
    )
