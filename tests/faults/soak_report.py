"""Verdict and picture of a soak."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

LIMIT = 0.05
"""Largest difference between medians of memory, as a share of the smallest."""

WINDOWS = 10
"""Parts of the time after the warm-up, each judged by its median."""


def medians(values: Sequence[float]) -> list[float]:
    """Of each part of a series.

    A median leaves out single moments, as while videos are embedded.
    """
    size = len(values) / WINDOWS
    parts = [values[int(i * size) : int((i + 1) * size)] for i in range(WINDOWS)]
    return [statistics.median(part) for part in parts if part]


def base_levels(values: Sequence[float]) -> list[float]:
    """Lowest of the first and of the second half of a series.

    Batches on their way come and go; what leaks stays, and lifts the lowest.
    """
    half = len(values) // 2
    return [min(values[:half]), min(values[half:])]


def long_lived(
    samples: Sequence[dict[str, Any]], begin: int, end: int
) -> dict[str, dict[str, list]]:
    """Series of the processes that were there all the time.

    Args:
        samples: With ``iteration`` and ``processes``, usage by process id.
        begin: First iteration that counts, after the warm-up.
        end: First that does not, where training ends.

    Returns:
        By process id, by figure: one value for each sample.
    """
    kept = [sample for sample in samples if begin <= sample["iteration"] < end]
    everywhere = set.intersection(*(set(sample["processes"]) for sample in kept))
    return {
        pid: {
            figure: [sample["processes"][pid][figure] for sample in kept]
            for figure in ("rss", "files", "segments")
        }
        for pid in sorted(everywhere, key=int)
    }


def complaints(
    result: dict[str, Any], iterations: int, processes: int, in_flight: int
) -> list[str]:
    """What is not as it must be.

    Args:
        result: With ``whole``, a training to its end, and ``killed``, one that was killed.
        iterations: That the whole one must have reached.
        processes: That must have lived through it.
        in_flight: Files or segments of one batch on its way (a leak makes thousands).
    """
    whole, killed = result["whole"], result["killed"]
    found = []
    if whole["exit_code"] != 0 or whole["iterations"] < iterations:
        found.append(f"training ended with {whole['exit_code']} after {whole['iterations']}")
    if len(whole["processes"]) != processes:
        found.append(f"{len(whole['processes'])} processes lived through, not {processes}")
    for name, figures in whole["processes"].items():
        rss = figures["rss_mb"]
        if max(rss) > (1 + LIMIT) * min(rss):
            found.append(f"memory of {name} went from {min(rss)} to {max(rss)} MB")
        for key in ("files", "segments"):
            first, second = figures[key]
            if second - first > in_flight:
                found.append(f"{key} of {name} went from {first} to {second}")
    for way, outcome in result.items():
        if outcome["segments_left"]:
            found.append(f"left in /dev/shm ({way}): {outcome['segments_left']}")
    if killed["processes_left"]:
        found.append(f"processes left after kill -9: {killed['processes_left']}")
    return found


def draw(samples: Sequence[dict[str, Any]], names: dict[str, str], path: Path) -> None:
    """Three curves by iteration: memory, open files and segments of each long-lived process."""
    figure, axes = plt.subplots(3, 1, figsize=(9, 9), sharex=True, layout="constrained")
    panels = (("rss", "RSS (MB)", 1e6), ("files", "open files", 1), ("segments", "segments", 1))
    for axis, (key, label, unit) in zip(axes, panels):
        for pid, name in names.items():
            known = [sample for sample in samples if pid in sample["processes"]]
            x = [sample["iteration"] for sample in known]
            y = [sample["processes"][pid][key] / unit for sample in known]
            axis.plot(x, y, linewidth=1, label=name)
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes[0].legend(ncols=3, fontsize=8)
    axes[-1].set_xlabel("iteration")
    figure.savefig(path, dpi=110)
    plt.close(figure)
