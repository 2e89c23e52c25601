"""Estimate the optical flow of videos and store it in one compact file per video.

    python tools/data/extract_flow.py data/ucf101/videos --out data/ucf101/flow --workers 16
    python tools/data/extract_flow.py data/ucf101/ucf101_train_split_1_videos.txt \\
        --video-root data/ucf101/videos --out data/ucf101/flow --method dis

``FlowView(source="files", root="data/ucf101/flow", video_root="data/ucf101/videos")`` reads
the files during training. A stopped run continues with the same command; existing files are kept.
Videos without flow are listed with the reason in ``OUT/broken_videos.txt``.

Exit code: 0 if all videos have flow, 1 if some are broken, 2 if the input cannot be used.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import cv2

from slic_mmaction.decoding import UnreadableVideoError
from slic_mmaction.flow.estimate import METHODS, build_estimator, video_flow
from slic_mmaction.flow.extract import add_video_arguments, conclude, videos_asked_for
from slic_mmaction.flow.store import (
    FlowSettings,
    read_settings,
    relative_name,
    stored_path,
    write_flow,
)
from slic_mmaction.preparation.workers import Failure, run_isolated
from slic_mmaction.progress import progress_bar

Job = tuple[Path, Path]  # a video and its flow file


def plan(videos: Iterable[Path], video_root: Path, out: Path) -> list[Job]:
    """Choose the path of the flow file of each video.

    Raises:
        ValueError: If two videos would share a file, or a video is not in ``video_root``.
    """
    by_target: dict[Path, Path] = {}
    for video in videos:
        target = stored_path(out, os.path.splitext(relative_name(video, video_root))[0])
        other = by_target.setdefault(target, video)
        if other != video:
            raise ValueError(
                f"{other} and {video} would both have the flow file {target}: rename one of them."
            )
    return [(video, target) for target, video in by_target.items()]


def remaining(jobs: Iterable[Job], settings: FlowSettings) -> list[Job]:
    """Return the jobs whose flow file is missing or damaged.

    Raises:
        ValueError: If a flow file has other settings.
    """
    todo = []
    for video, target in jobs:
        present = read_settings(target)
        if present is None:
            todo.append((video, target))
        elif present != settings:
            wanted = vars(settings)
            difference = " and ".join(
                f"{name.replace('_', ' ')} {value} instead of {wanted[name]}"
                for name, value in vars(present).items()
                if value != wanted[name]
            )
            raise ValueError(
                f"{target} was made with {difference}: choose another --out, or delete that folder."
            )
    return todo


def extract(job: Job, settings: FlowSettings) -> str | None:
    """Write one flow file with one thread; return the fault of the video, or None."""
    cv2.setNumThreads(1)
    video, target = job
    try:
        write_flow(target, video_flow(video, settings.method, settings.short_side), settings)
    except UnreadableVideoError as error:
        return str(error)
    return None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_video_arguments(parser, out="folder for the flow files")
    parser.add_argument("--method", choices=METHODS, default="tvl1", help="default: tvl1")
    parser.add_argument(
        "--component",
        choices=("x", "xy"),
        default="x",
        help="components of the flow; default: x, the one that SLIC uses",
    )
    parser.add_argument(
        "--bound",
        type=float,
        default=20.0,
        help="largest displacement, in pixels of a frame with a short side of 240 (default: 20)",
    )
    parser.add_argument(
        "--short-side",
        type=int,
        default=128,
        help="short side of the stored flow in pixels, at most that of the video (default: 128)",
    )
    args = parser.parse_args()
    if args.bound <= 0 or args.short_side < 16:
        parser.error("--bound must be above 0 and --short-side at least 16")
    return args


def run(jobs: list[Job], settings: FlowSettings, workers: int) -> list[str]:
    """Extract in parallel; return a line ``path<TAB>reason`` for each video without flow."""
    broken = []
    task = functools.partial(extract, settings=settings)
    with progress_bar("flow", len(jobs)) as advance:
        # No time limit, because it depends on the longest video.
        for job, result in run_isolated(task, jobs, workers, timeout=math.inf):
            reason = result.reason if isinstance(result, Failure) else result
            if reason is not None:
                broken.append(f"{job[0]}\t{reason}")
            advance()
    return broken


def main() -> int:
    args = arguments()
    settings = FlowSettings(args.method, args.component, args.bound, args.short_side)
    try:
        build_estimator(settings.method)
        jobs = plan(*videos_asked_for(args.videos, args.video_root), args.out)
        todo = remaining(jobs, settings)
    except (ImportError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        broken = run(todo, settings, args.workers)
    except KeyboardInterrupt:
        print("Stopped. The same command continues from here.", file=sys.stderr)
        return 130
    report = args.out / "broken_videos.txt"
    return conclude(broken, len(todo), len(jobs) - len(todo), report)


if __name__ == "__main__":
    sys.exit(main())
