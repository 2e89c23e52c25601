"""SLICHead and one training step of a slim R3D on the device against float64 on the CPU.

The head's triplets are mined with ``hardest_violating`` here: the device's generator draws other
random numbers than the CPU's. The step is one of SGD on given clips: loss, gradients, and
BatchNorm's statistics after it. In half precision (autocast) what comes forward is judged, and the
gradients' error only told: BatchNorm over few small clips magnifies rounding, on any device.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from agreement import TOLERANCE, judge, relative_error
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from settings import ROOT, Settings
from stage_file import Result
from torch import Tensor

if TYPE_CHECKING:
    from mmaction.models.recognizers.base import BaseRecognizer

CONFIG = ROOT / "configs" / "slic_r3d_slim_ucf101.py"
VIEWS = 3


@contextlib.contextmanager
def exact_float32() -> Iterator[None]:
    """Without TF32, which torch allows in convolutions unless told otherwise."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def safe_half_precision(
    device: torch.device, dtype: torch.dtype | None
) -> contextlib.AbstractContextManager[None]:
    """Without oneDNN for half precision on a CPU.

    That of torch 2.13 writes beyond its memory in a bfloat16 stem (docs/precision_and_scale.md).
    """
    if device.type != "cpu" or dtype not in (torch.bfloat16, torch.float16):
        return contextlib.nullcontext()
    return torch.backends.mkldnn.flags(enabled=False)


def samples(videos: int, device: torch.device) -> list[ActionDataSample]:
    """What ClusterAwareDataset says of each video; two in a row share a pseudo-label."""
    made = []
    for video in range(videos):
        sample = ActionDataSample(metainfo=dict(draw_seed=video))
        sample.pseudo_label = torch.tensor([video // 2], device=device)
        sample.video_indices = torch.tensor([video] * VIEWS, device=device)
        made.append(sample)
    return made


def network() -> BaseRecognizer:
    """The slim R3D with hardest negatives; the same weights whenever it is called."""
    cfg = Config.fromfile(CONFIG).model
    cfg.cls_head.losses[0].mining = "hardest_violating"
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.backbone.init_weights()  # the head has none; the model's would log every weight
    return model


def step(
    clips: Tensor, dtype: torch.dtype, device: torch.device, autocast: torch.dtype | None = None
) -> dict[str, Tensor]:
    """Loss, all gradients in one vector, and the running statistics after a step."""
    model = network().to(device, dtype).train()
    inputs = clips.to(device, dtype)
    with exact_float32(), safe_half_precision(device, autocast):
        with torch.autocast(device.type, autocast or torch.bfloat16, enabled=autocast is not None):
            scalars = model(inputs, samples(len(clips), device), mode="loss")
        loss, _ = model.parse_losses(scalars)
        loss.backward()
    gradients = [w.grad.flatten() for w in model.parameters() if w.grad is not None]
    running = [b.flatten() for name, b in model.named_buffers() if "running" in name]
    return dict(loss=loss, gradients=torch.cat(gradients), statistics=torch.cat(running))


def head(
    features: Tensor, dtype: torch.dtype, device: torch.device, autocast: torch.dtype | None = None
) -> dict[str, Tensor]:
    """Embeddings of SLICHead in training mode, and the gradients of their mean square."""
    torch.manual_seed(0)
    module = MODELS.build(Config.fromfile(ROOT / "configs/slic_r3d_ucf101.py").model.cls_head)
    module = module.to(device, dtype).train()
    rows = features.to(device, dtype).detach().requires_grad_()
    with exact_float32():
        with torch.autocast(device.type, autocast or torch.bfloat16, enabled=autocast is not None):
            embeddings = module(rows)
        embeddings.to(dtype).square().mean().backward()
    assert rows.grad is not None
    return dict(embeddings=embeddings, gradients=rows.grad)


def compare(what: str, dtype: torch.dtype, settings: Settings) -> Result:
    """The head or a step, in some precision."""
    generator = torch.Generator().manual_seed(2)
    videos, frames, side = (4, 4, 16) if settings.small else (8, 8, 56)
    if what == "SLICHead":
        shape: tuple[int, ...] = (videos * VIEWS, 512, 2, 4, 4)
        work: Any = head
    else:
        shape, work = (videos, VIEWS, 3, frames, side, side), step
    given = torch.randn(shape, dtype=torch.float64, generator=generator)
    half = dtype if dtype in (torch.float16, torch.bfloat16) else None
    reference = work(given, torch.float64, torch.device("cpu"))
    ours = work(given, torch.float32 if half else dtype, settings.device, half)
    errors = {name: relative_error(ours[name], reference[name]) for name in reference}
    if half is not None:
        gradients = errors.pop("gradients")
        return judge(errors, TOLERANCE[half], gradients=gradients)
    # A step goes through twenty layers, each with its rounding.
    return judge(errors, TOLERANCE[dtype] * (10 if work is step else 1))


def measurements(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Both, in each precision."""
    for what in ("SLICHead", "training step"):
        for dtype in TOLERANCE:
            label = f"{what}, {str(dtype).removeprefix('torch.')}"
            yield label, partial(compare, what, dtype, settings)
