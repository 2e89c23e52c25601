"""FINCH and first neighbours on the device against the CPU's.

Labels and neighbours must be equal: near ties are decided in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from settings import Settings
from stage_file import Result
from torch import Tensor

from slic_mmaction.clustering import finch, first_neighbors

CHANNELS = 128


def points(count: int, seed: int = 0) -> Tensor:
    """(count, 128) float32: groups of thirty on average that overlap, and some duplicates."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(max(1, count // 30), CHANNELS, generator=generator)
    own = torch.randint(len(centres), (count,), generator=generator)
    rows = centres[own] + 0.7 * torch.randn(count, CHANNELS, generator=generator)
    rows[: count // 100] = rows[-(count // 100) :]
    return rows


def compare(metric: str, count: int, settings: Settings) -> Result:
    """All levels of FINCH, and the first neighbours, against the CPU."""
    rows = points(count)
    ours = rows.to(settings.device)
    same = first_neighbors(rows, metric) == first_neighbors(ours, metric)
    reference, found = finch(rows, metric), finch(ours, metric)
    equal = np.array_equal(reference.labels, found.labels)
    return dict(
        passed=bool(same.all()) and equal,
        neighbours_that_differ=int((~same).sum()),
        labels_equal=equal,
        points=count,
        clusters=[int(count) for count in found.num_clusters],
    )


def measurements(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Each metric."""
    count = 600 if settings.small else 20_000
    for metric in ("cosine", "euclidean"):
        yield f"FINCH, {metric}", partial(compare, metric, count, settings)
