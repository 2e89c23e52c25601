"""A picture of how points spread over the clusters of a clustering."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..clustering.quality import cluster_sizes, size_bins, size_histogram
from .figure_file import save_figure

# Okabe and Ito's blue and orange, which colour-blind readers tell apart.
_CLUSTERS, _POINTS = "#0072B2", "#E69F00"


def size_report(labels: np.ndarray, out_path: str | Path, title: str = "") -> Path:
    """Draw the histogram of cluster sizes, in clusters and in points.

    Bins double. Many small clusters may hold few points, so both are needed: a clustering into
    one huge cluster and a thousand pairs looks balanced by number of clusters.

    Args:
        labels: (N,) integers, N >= 1; < 0 is noise.
        out_path: The PNG, which is returned.
        title: First line above the picture; counts of points, clusters and noise follow.

    Raises:
        ValueError: If there are no labels.
    """
    sizes = cluster_sizes(labels)
    edges, counts = size_histogram(labels)
    points = np.histogram(sizes, edges, weights=sizes)[0]
    names = list(size_bins(labels))
    noise = len(labels) - int(sizes.sum())
    if noise:
        names.append("noise")
        counts, points = np.append(counts, 0), np.append(points, noise)
    figure = Figure(figsize=(max(5.0, 0.75 * len(names) + 1), 5.4))
    upper, lower = figure.subplots(2, 1, sharex=True)
    _bars(upper, names, counts, _CLUSTERS, [f"{count:,}" if count else "" for count in counts])
    upper.set_title("clusters", fontsize=11)
    upper.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    shares = 100 * points / len(labels)
    _bars(lower, names, shares, _POINTS, [_percent(share) for share in shares])
    lower.set_title("share of all points (%)", fontsize=11)
    lower.set_xlabel("points in a cluster")
    lower.tick_params(axis="x", labelrotation=45 if len(names) > 7 else 0)
    summary = f"{len(labels):,} points, {len(sizes):,} clusters, {noise:,} noise"
    figure.suptitle("\n".join(filter(None, (title, summary))), fontsize=11)
    figure.tight_layout()
    return save_figure(figure, out_path)


def _percent(share: float) -> str:
    return "<0.1" if 0 < share < 0.1 else f"{share:.1f}" if share else ""


def _bars(axis: Axes, names: list[str], heights: np.ndarray, colour: str, notes: list[str]) -> None:
    bars = axis.bar(names, heights, color=colour, width=0.85)
    axis.bar_label(bars, notes, fontsize=8, padding=2)
    axis.set_ylim(0, 1.15 * float(heights.max()) or 1)
    axis.spines[["top", "right"]].set_visible(False)
