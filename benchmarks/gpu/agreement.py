"""How near two results are, and whether that is near enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

# By dtype of the arithmetic, for ||out - ref|| / ||ref||: many times what sums in another order
# make of it, and far from what a wrong formula does.
TOLERANCE = {
    torch.float64: 1e-10,
    torch.float32: 1e-4,
    torch.float16: 5e-3,
    torch.bfloat16: 3e-2,
}


def relative_error(out: Tensor, reference: Tensor) -> float:
    """``||out - reference|| / ||reference||``, in float64; infinite where ``out`` is not finite.

    Of a reference that is zero everywhere it is ``||out||``.

    Args:
        out: Any shape, device and floating dtype.
        reference: The same shape.

    Raises:
        ValueError: If the shapes differ.
    """
    if out.shape != reference.shape:
        raise ValueError(f"Compared {tuple(out.shape)} with {tuple(reference.shape)}.")
    ours, theirs = out.detach().cpu().double(), reference.detach().cpu().double()
    if not bool(ours.isfinite().all()):
        return math.inf
    scale = float(theirs.norm())
    return float((ours - theirs).norm()) / (scale or 1.0)


def judge(errors: Mapping[str, float], tolerance: float, **more: Any) -> dict[str, Any]:
    """A result: the errors, the tolerance, and whether all errors are within it."""
    worst = max(errors, key=lambda name: errors[name])
    return dict(
        passed=errors[worst] <= tolerance,
        error=errors[worst],
        where=worst,
        tolerance=tolerance,
        **more,
    )
