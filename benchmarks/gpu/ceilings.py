"""What the device can do at most: rates of large matrix products and of copies.

On random data: zeros draw less power and run faster than any training would.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from settings import Settings
from stage_file import Result
from timing import repeat_seconds, spread

DTYPES = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


@contextlib.contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Allow TF32 in products and convolutions for ``'tf32'``, and nowhere for the others."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    allowed = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def matrix_rate(precision: str, settings: Settings) -> Result:
    """Operations per second of the product of two square matrices."""
    side, repeats = (256, 3) if settings.small else (8192, 30)
    left, right = (
        torch.randn(side, side, device=settings.device, dtype=DTYPES[precision]) for _ in range(2)
    )
    out = torch.empty_like(left)
    with arithmetic(precision):
        seconds = repeat_seconds(lambda: torch.mm(left, right, out=out), settings.device, repeats)
    time = spread(seconds)
    return dict(tflops=2e-12 * side**3 / time["seconds"], side=side, **time)


def copy_rate(settings: Settings) -> Result:
    """Bytes per second read and written together by a copy within the device's memory."""
    count = 1 << (20 if settings.small else 31)
    source = torch.randint(256, (count,), dtype=torch.uint8, device=settings.device)
    target = torch.empty_like(source)
    time = spread(repeat_seconds(lambda: target.copy_(source), settings.device, 10))
    return dict(gb_per_s=2e-9 * count / time["seconds"], bytes=count, **time)
