"""A picture of queries and the gallery videos found for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .figure_file import save_figure
from .strips import video_strip

# Okabe and Ito's green and vermilion, which colour-blind readers tell apart.
_HIT, _MISS, _QUERY = "#009E73", "#D55E00", "#333333"


def retrieval_gallery(
    query_paths: Sequence[str],
    neighbor_paths: Sequence[Sequence[str]],
    hits: np.ndarray,
    similarities: np.ndarray,
    out_path: str | Path,
    title: str = "",
    query_names: Sequence[str] | None = None,
    neighbor_names: Sequence[Sequence[str]] | None = None,
    num_frames: int = 3,
) -> Path:
    """Draw each query and, to its right, its nearest gallery videos.

    Every video is a strip of frames, for a motion does not show in one. The frame around
    a neighbour, and the sign below, say whether it is of the query's class.

    Args:
        query_paths (Sequence[str]): Q video files or frame folders.
        neighbor_paths (Sequence[Sequence[str]]): Q rows of k, nearest first.
        hits (np.ndarray): (Q, k) bool, whether of the same class.
        similarities (np.ndarray): (Q, k) float, written below each neighbour.
        out_path (str | Path): The PNG.
        title (str): Above the picture. Defaults to none.
        query_names (Sequence[str], optional): Q class names. Defaults to file names.
        neighbor_names (Sequence[Sequence[str]], optional): Q rows of k class names.
            Defaults to file names.
        num_frames (int): Frames of a strip. Defaults to 3.

    Returns:
        Path: The PNG.

    Raises:
        ValueError: If there is no query, shapes do not agree, or a video cannot be read.
    """
    shape = (len(query_paths), len(neighbor_paths[0]) if len(neighbor_paths) else 0)
    given = (np.shape(neighbor_paths), np.shape(hits), np.shape(similarities))
    if 0 in shape or any(other != shape for other in given):
        raise ValueError(
            "A gallery needs (queries, k) neighbours, hits and similarities, at least one of "
            f"each, but got {len(query_paths)} queries and the shapes {given}."
        )
    rows, columns = shape[0], shape[1] + 1
    figure = Figure(figsize=(0.75 * num_frames * columns + 0.3, 1.0 * rows + 0.7))
    axes = figure.subplots(rows, columns, squeeze=False)
    for row, query in enumerate(query_paths):
        name = query_names[row] if query_names is not None else Path(query).stem
        _draw(axes[row, 0], query, num_frames, _QUERY, name)
        for rank, neighbor in enumerate(neighbor_paths[row]):
            name = neighbor_names[row][rank] if neighbor_names is not None else Path(neighbor).stem
            hit = bool(hits[row][rank])
            note = f"{'✓' if hit else '✗'} {similarities[row][rank]:.2f}  "
            colour = _HIT if hit else _MISS
            _draw(axes[row, rank + 1], neighbor, num_frames, colour, name, note)
    for column, axis in enumerate(axes[0]):
        axis.set_title("query" if column == 0 else f"nearest {column}", fontsize=10)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.4, h_pad=0.5, w_pad=0.6)
    return save_figure(figure, out_path)


def _draw(axis: Axes, path: str, num_frames: int, colour: str, name: str, note: str = "") -> None:
    axis.imshow(video_strip(path, num_frames), interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set(color=colour, linewidth=3)
    longest = 10 * num_frames - len(note)
    short = name if len(name) <= longest else f"{name[: longest - 1]}…"
    axis.set_xlabel(note + short, fontsize=9, color=colour, labelpad=4)
