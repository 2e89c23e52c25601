"""What moves where in a video, as one vector: made once, without a network and without labels."""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..decoding import UnreadableVideoError
from ..flow import relative_name, sampled_flow
from ..preparation.workers import Failure, run_isolated
from ..progress import progress_bar
from .descriptors import Descriptors, read_descriptors, save_descriptors

# Motion boundaries of whole cells need no sharp flow: DIS at 64 pixels, every fourth frame.
SETTINGS: dict[str, Any] = dict(method="dis", short_side=64, step=4)
SECONDS_BETWEEN_SAVES = 60.0
CELLS, BINS = 4, 8
#: Length of a descriptor: cells in rows and columns, components of flow, orientations.
DIMENSIONS = CELLS * CELLS * 2 * BINS


def motion_boundary_histograms(flow: Iterable[np.ndarray]) -> np.ndarray:
    """Where, and across which direction, the motion in a video changes in space.

    For either component of flow the gradient in space votes for its orientation with its
    magnitude (Dalal, Triggs, Schmid, ECCV 2006), here summed over a grid of cells and all of
    the video. A camera that pans adds the same to all pixels and so nothing to a gradient:
    in trajectory features these histograms are the part that holds up in videos from the
    web (Wang, Klaser, Schmid, Liu, IJCV 2013). The sum is scaled to 1 and the root taken
    (Arandjelovic, Zisserman, CVPR 2012), so the dot product of two videos is the Hellinger
    kernel, and neither their length nor their resolution counts.

    Args:
        flow: (H, W, 2) float32 displacements, one after the other.

    Returns:
        (DIMENSIONS,) float32 of length 1, or all zero if nothing moves.
    """
    votes = np.zeros(DIMENSIONS)
    for field in flow:
        height, width = field.shape[:2]
        rows = np.arange(height)[:, None] * CELLS // height
        cell = rows * CELLS + np.arange(width) * CELLS // width
        for component in (0, 1):
            values = np.ascontiguousarray(field[..., component])
            # Central differences; twice the gradient, like all of them.
            right = cv2.Sobel(values, cv2.CV_32F, 1, 0, ksize=1)
            down = cv2.Sobel(values, cv2.CV_32F, 0, 1, ksize=1)
            magnitude, angle = cv2.cartToPolar(right, down)
            # Rounding can make the largest angle a full turn.
            orientation = (angle * (BINS / (2 * np.pi))).astype(np.int64) % BINS
            place = (cell * 2 + component) * BINS + orientation
            votes += np.bincount(place.ravel(), magnitude.ravel(), minlength=DIMENSIONS)
    total = votes.sum()
    return np.sqrt(votes / total if total else votes).astype(np.float32)


def describe(video: Path, settings: dict[str, Any]) -> np.ndarray | str:
    """The vector of one video, or what is wrong with it; one thread, parallel over videos."""
    cv2.setNumThreads(1)
    try:
        return motion_boundary_histograms(sampled_flow(video, **settings))
    except UnreadableVideoError as error:
        return str(error)


def describe_motion(
    videos: Sequence[Path], root: Path, out: Path, workers: int
) -> tuple[list[str], int]:
    """Add the vectors of videos to a file, in parallel; those that it has already are kept.

    A killed run goes on with the same call, from what was kept at most a minute ago.

    Args:
        videos: Their files.
        root: Folder to which the names in the file are relative.
        out: The file, ``.npz``.
        workers: Processes, of one thread each.

    Returns:
        A line ``path<TAB>reason`` for each video without a vector, and how many videos had one
        before.

    Raises:
        ValueError: If the file was made with other settings, or two videos would have one name.
    """
    names = {video: os.path.splitext(relative_name(video, root))[0] for video in videos}
    if len(set(names.values())) < len(names):
        raise ValueError("Two videos differ in nothing but the suffix: rename one of them.")
    rows = _described_before(out)
    todo = {video: name for video, name in names.items() if name not in rows}
    broken: list[str] = []
    saved = time.monotonic()
    task = functools.partial(describe, settings=SETTINGS)
    try:
        with progress_bar("motion", len(todo)) as advance:
            # No time limit: it would have to be that of the longest video.
            for video, result in run_isolated(task, todo, workers, timeout=math.inf):
                outcome = result.reason if isinstance(result, Failure) else result
                if isinstance(outcome, str):
                    broken.append(f"{video}\t{outcome}")
                else:
                    rows[todo[video]] = outcome
                advance()
                if rows and time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                    save_descriptors(out, Descriptors(rows, SETTINGS))
                    saved = time.monotonic()
    finally:
        if rows:
            save_descriptors(out, Descriptors(rows, SETTINGS))
    return broken, len(videos) - len(todo)


def _described_before(path: Path) -> dict[str, np.ndarray]:
    """What an earlier run has done.

    Raises:
        ValueError: If that was with other settings.
    """
    if not path.exists():
        return {}
    kept = read_descriptors(path)
    if kept.settings != SETTINGS:
        raise ValueError(
            f"{path} was made with the settings {kept.settings} and not {SETTINGS}: choose "
            "another --out, or delete it."
        )
    return dict(kept.rows)
