"""FINCH and first neighbours on the device, by every backend, against the CPU's.

Labels and neighbours must be equal: the search settles near ties in float64, whoever searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from settings import Settings
from stage_file import Result
from torch import Tensor

from slic_mmaction.clustering import finch, first_neighbors
from slic_mmaction.clustering.faiss_search import faiss_gpu_failure

WAYS = (("torch", "float32"), ("torch", "bfloat16"), ("faiss", "float32"))
CHANNELS = 128


def points(count: int, seed: int = 0) -> Tensor:
    """(count, 128) float32: groups of thirty on average that overlap, and some duplicates."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(max(1, count // 30), CHANNELS, generator=generator)
    own = torch.randint(len(centres), (count,), generator=generator)
    rows = centres[own] + 0.7 * torch.randn(count, CHANNELS, generator=generator)
    rows[: count // 100] = rows[-(count // 100) :]
    return rows


def why_not(backend: str, device: torch.device) -> str | None:
    """Why a backend cannot search on a device, None if it can."""
    if backend != "faiss":
        return None
    if find_spec("faiss") is None:
        return "faiss is not installed"
    failure = faiss_gpu_failure() if device.type == "cuda" else None
    return f"faiss does not work on this GPU: {failure}" if failure else None


def compare(backend: str, precision: str, metric: str, count: int, settings: Settings) -> Result:
    """All levels of FINCH, and the first neighbours, against torch in float32 on the CPU."""
    reason = why_not(backend, settings.device)
    if reason:
        return dict(skipped=reason)
    rows = points(count)
    ours = rows.to(settings.device)
    same = first_neighbors(rows, metric, "torch", "float32") == first_neighbors(
        ours, metric, backend, precision
    )
    reference = finch(rows, metric, backend="torch", precision="float32")
    found = finch(ours, metric, backend=backend, precision=precision)
    equal = np.array_equal(reference.labels, found.labels)
    return dict(
        passed=bool(same.all()) and equal,
        neighbours_that_differ=int((~same).sum()),
        labels_equal=equal,
        points=count,
        clusters=[int(count) for count in found.num_clusters],
    )


def measurements(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Each backend with each metric that it has."""
    count = 600 if settings.small else 20_000
    for backend, precision in WAYS:
        for metric in ("cosine", "euclidean"):
            if precision == "float32" or metric == "cosine":
                label = f"FINCH by {backend}, {precision}, {metric}"
                yield label, partial(compare, backend, precision, metric, count, settings)
