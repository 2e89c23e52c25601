"""A picture of queries and their nearest gallery videos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..decoding import open_reader
from .figure_file import save_figure

# Okabe and Ito's green and vermilion, which colour-blind readers can distinguish.
_HIT, _MISS, _QUERY = "#009E73", "#D55E00", "#333333"
_FRAMES = 3  # frames of a video, because one does not show its motion


def retrieval_gallery(
    query_paths: Sequence[str],
    neighbor_paths: Sequence[Sequence[str]],
    hits: np.ndarray,
    similarities: np.ndarray,
    query_names: Sequence[str],
    neighbor_names: Sequence[Sequence[str]],
    title: str,
    out_path: str | Path,
) -> Path:
    """Draw each query and, to its right, its nearest neighbours in the gallery.

    The border of a neighbour and the sign below it show whether it has the query's class.

    Args:
        query_paths: Q >= 1 video files or folders of frames.
        neighbor_paths: Q rows of k paths, nearest first.
        hits: (Q, k) bool, whether a neighbour has the query's class.
        similarities: (Q, k) float, written below each neighbour.
        query_names: Q class names.
        neighbor_names: Q rows of k class names.
        title: Title of the picture.
        out_path: Path of the PNG file.

    Returns:
        The path.

    Raises:
        UnreadableVideoError: If a video cannot be read.

    Examples:
        >>> from slic_mmaction.visualization import retrieval_gallery
        >>> neighbors = [["videos/walk_2.mp4", "videos/run_1.mp4"]]
        >>> retrieval_gallery(["videos/walk_1.mp4"], neighbors, hits=[[True, False]],
        ...     similarities=[[0.9, 0.6]], query_names=["walk"], neighbor_names=[["walk", "run"]],
        ...     title="Nearest neighbours", out_path="gallery.png").name
        'gallery.png'
    """
    rows, columns = len(query_paths), len(neighbor_paths[0]) + 1
    figure = Figure(figsize=(0.75 * _FRAMES * columns + 0.3, 1.0 * rows + 0.7))
    axes = figure.subplots(rows, columns, squeeze=False)
    for row, query in enumerate(query_paths):
        _draw(axes[row, 0], query, _QUERY, query_names[row])
        for rank, neighbor in enumerate(neighbor_paths[row]):
            colour, sign = (_HIT, "✓") if hits[row][rank] else (_MISS, "✗")
            note = f"{sign} {similarities[row][rank]:.2f}  "
            _draw(axes[row, rank + 1], neighbor, colour, neighbor_names[row][rank], note)
    for column, axis in enumerate(axes[0]):
        axis.set_title("query" if column == 0 else f"nearest {column}", fontsize=10)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.4, h_pad=0.5, w_pad=0.6)
    return save_figure(figure, out_path)


def _draw(axis: Axes, path: str, colour: str, name: str, note: str = "") -> None:
    axis.imshow(video_strip(path), interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set(color=colour, linewidth=3)
    longest = 10 * _FRAMES - len(note)
    short = name if len(name) <= longest else f"{name[: longest - 1]}…"
    axis.set_xlabel(note + short, fontsize=9, color=colour, labelpad=4)


def video_strip(
    path: str | Path, start: float = 0.0, end: float = math.inf, height: int = 84, fill: int = 255
) -> np.ndarray:
    """Show three evenly spaced frames of a video side by side.

    Args:
        path: A video file, or a folder of frames as images.
        start: Start of the part to show, in seconds.
        end: End of the part to show, in seconds.
        height: Height of the strip in pixels.
        fill: Grey value beside frames that are not 4:3.

    Returns:
        (height, 4 * height, 3) uint8, RGB. Frames keep their aspect ratio.

    Raises:
        UnreadableVideoError: If no frame can be read.

    Examples:
        >>> from slic_mmaction.visualization import video_strip
        >>> video_strip("videos/walk_1.mp4", start=0.5, end=1.5, height=60).shape
        (60, 240, 3)
    """
    with closing(open_reader(str(path))) as reader:
        rate, shown = reader.timeline()
        first, last = 0.0, float(len(shown))
        if start * rate < last:
            first, last = start * rate, min(end * rate, last)
        # Use the middles of equal parts, because first and last frames are often black.
        middles = first + (np.arange(_FRAMES) + 0.5) * (last - first) / _FRAMES
        frames = reader.frames(shown[middles.astype(int)])
    wide = height * 4 // 3
    strip = np.full((height, _FRAMES * wide, 3), fill, dtype=np.uint8)
    for number, frame in enumerate(frames):
        scale = min(wide / frame.shape[1], height / frame.shape[0])
        size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
        left, top = number * wide + (wide - size[0]) // 2, (height - size[1]) // 2
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        strip[top : top + size[1], left : left + size[0]] = small
    return strip
