"""Stage 3: first neighbours and FINCH at the size of Kinetics-400 and of a million videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from correctness import points
from device import peak_mib, time_repeats
from settings import Settings
from stage_file import Result, left_out, markdown
from torch import Tensor
from torch.nn.functional import normalize

from slic_mmaction.clustering import finch, first_neighbors

CHECKED = 1_000


def timed(work: Callable[[Tensor], Any], rows: Tensor, small: bool) -> tuple[Any, dict[str, Any]]:
    """Return the last result of some repetitions, their seconds and peak memory."""
    work(rows[:4096])  # warms up
    peak_mib(rows.device)
    results: list[Any] = []
    repeats = 1 if small else 3
    times = time_repeats(lambda: results.append(work(rows)), rows.device, repeats, warmup=0)
    return results[-1], dict(peak_mib=peak_mib(rows.device), **times)


def search(count: int, settings: Settings) -> Result:
    """Measure exact first neighbours on the device, and check some against float64."""
    rows = points(count).to(settings.device)
    neighbours, figures = timed(first_neighbors, rows, settings.small)
    unit = normalize(rows.double(), dim=1)
    some = torch.linspace(0, count - 1, CHECKED, device=rows.device).long()
    cosine = unit[some] @ unit.T
    cosine[torch.arange(CHECKED, device=rows.device), some] = -2
    ours = cosine.gather(1, torch.as_tensor(neighbours).to(rows.device)[some, None])[:, 0]
    # Duplicates are equally near: only a smaller cosine is wrong.
    wrong = int((ours < cosine.max(dim=1).values - 1e-12).sum())
    # Each pair once, with two operations per channel.
    tflops = 1e-12 * count**2 * rows.size(1) / figures["seconds"]
    return dict(passed=wrong == 0, wrong=wrong, tflops=tflops, **figures)


def cluster(count: int, settings: Settings) -> Result:
    """Measure all levels of FINCH."""
    result, figures = timed(finch, points(count).to(settings.device), settings.small)
    return dict(clusters=result.num_clusters.tolist(), **figures)


def measurements(settings: Settings) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Yield both measurements at each size."""
    for count in (2_000,) if settings.small else (240_000, 1_000_000):
        yield f"first neighbours, {count:,}", partial(search, count, settings)
        yield f"FINCH, {count:,}", partial(cluster, count, settings)


def table(results: dict[str, Result]) -> str:
    """Format a table of seconds and memory."""
    rows = [
        [name, r.get("seconds"), r.get("peak_mib"), r.get("tflops"), r.get("clusters", ["-"])[0]]
        for name, r in results.items()
    ]
    columns = ["128 channels", "s", "peak MiB", "TFLOP/s", "clusters"]
    return markdown(columns, rows) + "\n\n" + left_out(results)
