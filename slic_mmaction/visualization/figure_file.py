"""Writing figures."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..durable_file import durable_file


def save_figure(figure: Figure, path: str | Path, dpi: int = 120) -> Path:
    """Write a figure as PNG, without a display; the file appears whole or not at all.

    Args:
        figure: Made without pyplot, so that nothing lingers in memory.
        path: Where to; folders are made.
        dpi: Pixels per inch. Defaults to 120.

    Returns:
        The file.
    """
    FigureCanvasAgg(figure)
    with durable_file(path) as file:
        figure.savefig(file, format="png", dpi=dpi)
    return Path(path)
