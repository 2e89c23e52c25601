"""Stage (c): first neighbours and FINCH at the size of Kinetics-400 and of a million videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from check_clustering import points
from settings import Settings
from stage_file import Result, markdown
from timing import peak_mib, repeat_seconds, reset_peak, spread

from slic_mmaction.clustering import finch, first_neighbors


def search(count: int, settings: Settings) -> Result:
    """Exact first neighbours of points that lie on the device."""
    rows = points(count).to(settings.device)
    first_neighbors(rows[:4096])  # warms up
    reset_peak(settings.device)
    times = repeat_seconds(
        lambda: first_neighbors(rows),
        settings.device,
        repeats=1 if settings.small else 3,
        warmup=0,
    )
    peak, time = peak_mib(settings.device), spread(times)
    return dict(
        peak_mib=peak,
        input_mib=rows.numel() * rows.element_size() / 2**20,
        # Each pair once, two operations for each channel.
        tflops=1e-12 * count**2 * rows.size(1) / time["seconds"],
        **time,
    )


def cluster(num_levels: int | None, count: int, settings: Settings) -> Result:
    """FINCH as the default options have it."""
    rows = points(count).to(settings.device)
    finch(rows[:10_000], num_levels=1)  # warms up
    reset_peak(settings.device)
    counts: list[list[int]] = []
    times = repeat_seconds(
        lambda: counts.append(finch(rows, num_levels=num_levels).num_clusters.tolist()),
        settings.device,
        repeats=1 if settings.small else 3,
        warmup=0,
    )
    return dict(clusters=counts[-1], peak_mib=peak_mib(settings.device), **spread(times))


def measurements(settings: Settings) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Each size: the search, then FINCH's first level and all levels."""
    for count in (2_000, 3_000) if settings.small else (240_000, 1_000_000):
        yield f"first neighbours, {count:,}", partial(search, count, settings)
        for levels, said in ((1, "first level"), (None, "all levels")):
            yield f"FINCH, {count:,}, {said}", partial(cluster, levels, count, settings)


def table(results: dict[str, Result]) -> str:
    """Seconds and memory beside the input."""
    rows: list[list[object]] = []
    for name, r in results.items():
        remark = r.get("skipped") or r.get("failed")
        if remark is None:
            remark = f"clusters {r['clusters'][:3]}" if "clusters" in r else ""
        rows.append([name, r.get("seconds"), r.get("peak_mib"), r.get("tflops"), remark])
    return markdown(["128 channels", "s", "peak MiB", "TFLOP/s", "remark"], rows)
