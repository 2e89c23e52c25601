"""Motion descriptors of videos, computed once without a network and without labels."""

from __future__ import annotations

import functools
import math
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..decoding import UnreadableVideoError
from ..flow.estimate import sampled_flow
from ..flow.store import relative_name
from ..preparation.journal import fingerprint
from ..preparation.workers import Failure, run_isolated
from ..progress import progress_bar
from .descriptors import Descriptors, read_descriptors, save_descriptors

# Histograms over whole cells need no precise flow: DIS at 64 pixels, every fourth frame.
SETTINGS: dict[str, Any] = dict(method="dis", short_side=64, step=4)
SECONDS_BETWEEN_SAVES = 60.0
CELLS, BINS = 4, 8
#: Length of a descriptor: cells in rows and columns, components of flow, orientations.
DIMENSIONS = CELLS * CELLS * 2 * BINS


def motion_boundary_histograms(flow: Iterable[np.ndarray]) -> np.ndarray:
    """Compute the motion boundary histograms (MBH) of a video.

    For each component of the flow, the spatial gradient votes for its orientation with its
    magnitude (Dalal, Triggs, Schmid, ECCV 2006). The votes are summed over a grid of cells and the
    whole video. A panning camera adds the same motion to all pixels, which does not change the
    gradient; MBH is therefore the most robust trajectory feature for videos from the web (Wang,
    Klaser, Schmid, Liu, IJCV 2013). The histogram is L1-normalised and its square root is taken
    (Arandjelovic, Zisserman, CVPR 2012). The dot product of two videos is then the Hellinger
    kernel, which does not depend on length and resolution.

    Args:
        flow: (H, W, 2) float32 flow fields in pixels.

    Returns:
        (DIMENSIONS,) float32 of length 1, or zeros if nothing moves.
    """
    votes = np.zeros(DIMENSIONS)
    for field in flow:
        height, width = field.shape[:2]
        rows = np.arange(height)[:, None] * CELLS // height
        cell = rows * CELLS + np.arange(width) * CELLS // width
        for component in (0, 1):
            values = np.ascontiguousarray(field[..., component])
            # Central differences, which are all twice the gradient.
            right = cv2.Sobel(values, cv2.CV_32F, 1, 0, ksize=1)
            down = cv2.Sobel(values, cv2.CV_32F, 0, 1, ksize=1)
            magnitude, angle = cv2.cartToPolar(right, down)
            # By rounding, the largest angle may be a full turn.
            orientation = (angle * (BINS / (2 * np.pi))).astype(np.int64) % BINS
            place = (cell * 2 + component) * BINS + orientation
            votes += np.bincount(place.ravel(), magnitude.ravel(), minlength=DIMENSIONS)
    total = votes.sum()
    return np.sqrt(votes / total if total else votes).astype(np.float32)


def describe(video: Path, settings: dict[str, Any]) -> np.ndarray | str:
    """Compute the vector of one video in one thread, or return the reason why that fails."""
    cv2.setNumThreads(1)
    try:
        return motion_boundary_histograms(sampled_flow(video, **settings))
    except UnreadableVideoError as error:
        return str(error)


def describe_motion(
    videos: Sequence[Path], root: Path, out: Path, workers: int
) -> tuple[list[str], int]:
    """Add the vectors of videos to a file, in parallel, except those of unchanged videos.

    The same call continues a killed run. The file is written every minute.

    Args:
        videos: Paths of the videos.
        root: Folder to which the names in the file are relative.
        out: Path of the ``.npz`` file.
        workers: Number of processes with one thread each.

    Returns:
        A line ``path<TAB>reason`` for each video without a vector, and the number of videos that
        had one before.

    Raises:
        ValueError: If the file has other settings.
    """
    names = {video: relative_name(video, root) for video in videos}
    stems = {video: os.path.splitext(name)[0] for video, name in names.items()}
    alone = Counter(stems.values())
    names = {video: stem if alone[stem] == 1 else names[video] for video, stem in stems.items()}
    rows, files = _described_before(out)
    todo = {}
    for video, name in names.items():
        state = fingerprint(video) if video.exists() else []
        if name not in rows or files.setdefault(name, state) != state:
            rows.pop(name, None)
            files[name] = state
            todo[video] = name
    broken: list[str] = []
    saved = time.monotonic()
    task = functools.partial(describe, settings=SETTINGS)
    try:
        with progress_bar("motion", len(todo)) as advance:
            # Without a time limit, because a video may be long.
            for video, result in run_isolated(task, todo, workers, timeout=math.inf):
                outcome = result.reason if isinstance(result, Failure) else result
                if isinstance(outcome, str):
                    broken.append(f"{video}\t{outcome}")
                else:
                    rows[todo[video]] = outcome
                advance()
                if rows and time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                    save_descriptors(out, Descriptors(rows, SETTINGS, files))
                    saved = time.monotonic()
    finally:
        if rows:
            save_descriptors(out, Descriptors(rows, SETTINGS, files))
    return broken, len(videos) - len(todo)


def _described_before(path: Path) -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """Read the vectors of an earlier run, and what their videos were.

    Raises:
        ValueError: If the file has other settings.
    """
    if not path.exists():
        return {}, {}
    kept = read_descriptors(path)
    if kept.settings != SETTINGS:
        raise ValueError(
            f"{path} was made with the settings {kept.settings} and not {SETTINGS}: choose "
            "another --out, or delete this file."
        )
    return dict(kept.rows), dict(kept.files)
