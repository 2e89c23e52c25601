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
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from slic_mmaction.flow import METHODS, FlowSettings, build_estimator
from slic_mmaction.flow.extract import (
    FlowJob,
    extract,
    plan,
    remaining,
    videos_asked_for,
)
from slic_mmaction.preparation.atomic import write_text
from slic_mmaction.preparation.workers import Failure, run_isolated

BROKEN = "broken_videos.txt"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path, help="annotation file, or folder of videos")
    parser.add_argument("--out", type=Path, required=True, help="folder for the flow files")
    parser.add_argument(
        "--video-root",
        type=Path,
        help="folder that an annotation file's paths are relative to (a dataset's data_prefix)",
    )
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
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    args = parser.parse_args()
    if args.bound <= 0 or args.short_side < 16 or args.workers < 1:
        parser.error("--bound must be above 0, --short-side at least 16 and --workers at least 1")
    return args


def run(jobs: list[FlowJob], settings: FlowSettings, workers: int, console: Console) -> list[str]:
    """Extract in parallel; return a line ``path<TAB>reason`` for each video without flow."""
    broken = []
    columns = (TextColumn("flow"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    task = functools.partial(extract, settings=settings)
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("flow", total=len(jobs))
        # No time limit: it would have to be that of the longest video.
        for job, result in run_isolated(task, jobs, workers, timeout=math.inf):
            reason = result.reason if isinstance(result, Failure) else result
            if reason is not None:
                broken.append(f"{job.video}\t{reason}")
                console.print(f"[red]broken[/red] {job.video}: {reason}", highlight=False)
            progress.advance(bar)
    return sorted(broken)


def main() -> int:
    args = arguments()
    console = Console(stderr=True, soft_wrap=True)
    settings = FlowSettings(args.method, args.component, args.bound, args.short_side)
    try:
        build_estimator(settings.method)
        jobs = plan(*videos_asked_for(args.videos, args.video_root), args.out)
        todo = remaining(jobs, settings)
    except (ImportError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        broken = run(todo, settings, args.workers, console) if todo else []
    except KeyboardInterrupt:
        print("Stopped. The same command goes on where it was.", file=sys.stderr)
        return 130
    report = args.out / BROKEN
    if broken:
        write_text(report, "".join(f"{line}\n" for line in broken))
    else:
        report.unlink(missing_ok=True)
    done = len(todo) - len(broken)
    print(
        f"{done} videos done now, {len(jobs) - len(todo)} before, {len(broken)} broken"
        + (f" ({report})" if broken else "")
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
