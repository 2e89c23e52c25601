"""Writing figures."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..durable_file import durable_file


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure, made without pyplot, as a PNG file atomically, without a display."""
    FigureCanvasAgg(figure)
    with durable_file(path) as file:
        figure.savefig(file, format="png", dpi=120)
    return Path(path)
