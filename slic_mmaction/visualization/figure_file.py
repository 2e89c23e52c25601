"""Writing figures."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def save_figure(figure: Figure, path: str | Path, dpi: int = 120) -> Path:
    """Write a figure as PNG, without a display; the file appears whole or not at all.

    Args:
        figure (Figure): Made without pyplot, so that nothing lingers in memory.
        path (str | Path): Where to; folders are made.
        dpi (int): Pixels per inch. Defaults to 120.

    Returns:
        Path: The file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    FigureCanvasAgg(figure)
    figure.savefig(temporary, format="png", dpi=dpi)
    os.replace(temporary, path)
    return path
