"""Estimate the optical flow of videos and store it, one compact file for each.

    python tools/data/extract_flow.py data/ucf101/videos --out data/ucf101/flow --workers 16
    python tools/data/extract_flow.py data/ucf101/ucf101_train_split_1_videos.txt \\
        --video-root data/ucf101/videos --out data/ucf101/flow --method dis

``FlowView(source="files", root="data/ucf101/flow", video_root="data/ucf101/videos")`` reads
the files while training. A stopped run goes on with the same command; what is done is left
alone. Videos without flow are listed with the reason in ``OUT/broken_videos.txt``.

Exit code: 0 if every video has its flow, 1 if some are broken, 2 if nothing was tried.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys

from slic_mmaction.flow import METHODS, FlowSettings, build_estimator
from slic_mmaction.flow.extract import (
    FlowJob,
    add_video_arguments,
    conclude,
    extract,
    plan,
    remaining,
    videos_asked_for,
)
from slic_mmaction.preparation.workers import Failure, run_isolated
from slic_mmaction.progress import progress_bar


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_video_arguments(parser, out="folder for the flow files")
    parser.add_argument("--method", choices=METHODS, default="tvl1", help="default: tvl1")
    parser.add_argument(
        "--component", choices=("x", "xy"), default="x", help="default: x, all that SLIC shows"
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
        help="short side of the stored flow in pixels; smaller videos keep theirs (default: 128)",
    )
    args = parser.parse_args()
    if args.bound <= 0 or args.short_side < 16:
        parser.error("--bound must be above 0 and --short-side at least 16")
    return args


def run(jobs: list[FlowJob], settings: FlowSettings, workers: int) -> list[str]:
    """Extract in parallel; return a line ``path<TAB>reason`` for each video without flow."""
    broken = []
    task = functools.partial(extract, settings=settings)
    with progress_bar("flow", len(jobs)) as advance:
        # No time limit: it would have to be that of the longest video.
        for job, result in run_isolated(task, jobs, workers, timeout=math.inf):
            reason = result.reason if isinstance(result, Failure) else result
            if reason is not None:
                broken.append(f"{job.video}\t{reason}")
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
        print("Stopped. The same command goes on where it was.", file=sys.stderr)
        return 130
    report = args.out / "broken_videos.txt"
    return conclude(broken, len(todo), len(jobs) - len(todo), report)


if __name__ == "__main__":
    sys.exit(main())
