"""Curves of one or several trainings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from .figure_file import save_figure
from .scalars import Series, read_scalars

# Title of each panel, with its scalars and their labels, the main one first.
PANELS = {
    "Loss": {"loss": "sum", "loss_triplet": "triplet", "loss_temporal": "temporal"},
    "Clusters": {
        "cluster/clusters": "number",
        "cluster/largest": "largest (videos)",
        "cluster/median": "median (videos)",
    },
    "Clusters against true classes": {
        "cluster/nmi": "NMI",
        "cluster/ami": "AMI",
        "cluster/purity": "purity",
    },
    "Retrieval R@1 (%)": {"retrieval/R@1": "R@1"},
}
_STYLES = ("-", "--", ":")


def training_curves(runs: Mapping[str, str | Path], out_path: str | Path) -> Path:
    """Draw loss, clusters, their quality and R@1 over epochs, for several runs.

    Args:
        runs: ``scalars.json`` or work directory of each run, by its name.
        out_path: Path of the PNG file.

    Returns:
        The path.

    Raises:
        ValueError: If there is no run, or no run has logged any of these scalars.

    Examples:
        >>> from slic_mmaction.visualization import training_curves
        >>> training_curves({"UCF101": "work_dirs/slic_r3d_ucf101"}, "curves.png").name
        'curves.png'
    """
    logged = {name: read_scalars(path) for name, path in runs.items()}
    names = {scalar for series in logged.values() for scalar in series}
    panels = {title: keys for title, keys in PANELS.items() if names & set(keys)}
    if not panels:
        known = ", ".join(key for keys in PANELS.values() for key in keys)
        raise ValueError(
            f"Nothing to draw: none of the runs {', '.join(runs) or '(none given)'} has logged any "
            f"of {known}."
        )
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.5 * columns, 3.4 * rows + 0.5))
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis, (title, keys) in zip(axes, panels.items()):
        _panel(axis, title, keys, logged)
    for axis in axes[len(panels) :]:
        axis.remove()
    handles = [Line2D([], [], color=_colour(i), label=name) for i, name in enumerate(logged)]
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.4 / figure.get_figheight()))
    figure.legend(handles=handles, loc="upper center", ncols=min(len(runs), 4), frameon=False)
    return save_figure(figure, out_path)


def _panel(axis: Axes, title: str, keys: Mapping[str, str], logged: Mapping[str, Series]) -> None:
    handles: list[Line2D] = []
    for (key, label), style in zip(keys.items(), _STYLES):
        for i, series in enumerate(logged.values()):
            if key in series:
                epochs, values = zip(*series[key].items())
                marker = "o" if len(epochs) < 20 else None
                axis.plot(epochs, values, style, color=_colour(i), marker=marker, markersize=4)
        if any(key in series for series in logged.values()):
            handles += axis.plot([], [], style, color="#555555", label=label)
    if len(handles) > 1:
        axis.legend(handles=handles, fontsize=9)
    if title == "Clusters":
        axis.set_yscale("log")
        axis.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        for formatter in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
            formatter(FuncFormatter("{:.0f}".format))
    axis.set_title(title, fontsize=11)
    axis.set_xlabel("epochs trained")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.3)


def _colour(index: int) -> tuple[float, float, float, float]:
    return colormaps["tab10"](index % 10)
