"""Describe the motion in each video by one vector, for ``PseudoLabelHook(descriptors=...)``.

    python tools/data/extract_motion.py data/ucf101/videos --out data/ucf101/motion.npz --workers 16
    python tools/data/extract_motion.py data/ucf101/ucf101_train_split_1_videos.txt \\
        --video-root data/ucf101/videos --out data/ucf101/motion.npz

A vector is a motion boundary histogram (docs/motion.md), which needs no training and no labels. A
stopped run goes on with the same command, from what was kept at most a minute ago; videos that are
new are added. Videos without a vector are listed with the reason in ``OUT.broken_videos.txt``.

Exit code: 0 if every video has its vector, 1 if some are broken, 2 if nothing was tried.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from slic_mmaction.decoding import UnreadableVideoError
from slic_mmaction.flow import relative_name, sampled_flow
from slic_mmaction.flow.extract import add_video_arguments, conclude, videos_asked_for
from slic_mmaction.preparation.workers import Failure, run_isolated
from slic_mmaction.progress import progress_bar
from slic_mmaction.pseudo_labels.descriptors import Descriptors, read_descriptors, save_descriptors

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


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_video_arguments(parser, out="the file, .npz")
    args = parser.parse_args()
    if args.out.suffix != ".npz":
        parser.error("--out must end in .npz")
    return args


def videos_of(args: argparse.Namespace) -> dict[Path, str]:
    """All videos, and the names by which a training set will ask for them."""
    videos, root = videos_asked_for(args.videos, args.video_root)
    names = {video: os.path.splitext(relative_name(video, root))[0] for video in videos}
    if len(set(names.values())) < len(names):
        raise ValueError("Two videos differ in nothing but the suffix: rename one of them.")
    return names


def described_before(path: Path) -> dict[str, np.ndarray]:
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


def run(todo: dict[Path, str], rows: dict[str, np.ndarray], out: Path, workers: int) -> list[str]:
    """Describe in parallel; return a line ``path<TAB>reason`` for each video without a vector."""
    broken = []
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
    return broken


def main() -> int:
    args = arguments()
    try:
        videos = videos_of(args)
        rows = described_before(args.out)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    todo = {video: name for video, name in videos.items() if name not in rows}
    try:
        broken = run(todo, rows, args.out, args.workers)
    except KeyboardInterrupt:
        print("Stopped. The same command goes on where it was.", file=sys.stderr)
        return 130
    report = args.out.with_suffix(".broken_videos.txt")
    return conclude(broken, len(todo), len(videos) - len(todo), report)


if __name__ == "__main__":
    sys.exit(main())
