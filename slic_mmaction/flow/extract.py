"""Extracting from many videos: what is asked for, what is left to do, and what came of it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from ..decoding import UnreadableVideoError
from ..durable_file import durable_file
from ..preparation.options import positive_int
from ..preparation.video_files import find_videos
from .estimate import video_flow
from .store import FlowSettings, read_settings, relative_name, stored_path, write_flow

# What follows the path in a line of an annotation file: labels, or nothing.
_LABELS = re.compile(r"(?:[\s,;]+-?\d+)*\s*$")


def add_video_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """Add the videos, where the result goes (``out`` is the help), and the number of processes."""
    parser.add_argument("videos", type=Path, help="annotation file, or folder of videos")
    parser.add_argument("--out", type=Path, required=True, help=out)
    parser.add_argument(
        "--video-root",
        type=Path,
        help="folder that an annotation file's paths are relative to (a dataset's data_prefix)",
    )
    parser.add_argument("--workers", type=positive_int, default=1, help="processes (default: 1)")


def videos_asked_for(videos: Path, video_root: Path | None) -> tuple[list[Path], Path]:
    """What the command line of an extraction names: its videos, and the root of their names.

    Args:
        videos: Annotation file, or folder of videos (those in folders below it count).
        video_root: Folder that names are relative to; needed for a file.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If the root is needed, or there is no video.
    """
    if videos.is_dir():
        found = [videos / name for name in find_videos(videos)]
        if not found:
            raise ValueError(f"There is no video in {videos} or below it.")
        return found, video_root or videos
    if not videos.is_file():
        raise FileNotFoundError(f"There is no annotation file or folder {videos}.")
    if video_root is None:
        raise ValueError(
            f"{videos} is an annotation file: name the folder that its paths are relative "
            "to with --video-root."
        )
    return listed_videos(videos, video_root), video_root


def listed_videos(annotation: Path, video_root: Path) -> list[Path]:
    """Videos of an MMAction2 annotation file (lines ``path [label ...]``), each once, in order.

    Raises:
        ValueError: If it lists none.
    """
    lines = annotation.read_text(encoding="utf-8").splitlines()
    names = (_LABELS.sub("", line).strip() for line in lines)
    videos = list(dict.fromkeys(video_root / name for name in names if name))
    if not videos:
        raise ValueError(f"The annotation file {annotation} lists no video.")
    return videos


@dataclass(frozen=True)
class FlowJob:
    """A video and the flow file that it should have."""

    video: Path
    target: Path


def plan(videos: Iterable[Path], video_root: Path, out: Path) -> list[FlowJob]:
    """Give each video its flow file.

    Raises:
        ValueError: If two videos would share one, or a video is not below ``video_root``.
    """
    by_target: dict[Path, FlowJob] = {}
    for video in videos:
        name = os.path.splitext(relative_name(video, video_root))[0]
        job = FlowJob(video, stored_path(out, name))
        other = by_target.setdefault(job.target, job)
        if other != job:
            raise ValueError(
                f"{other.video} and {video} would both have the flow file {job.target}: "
                "rename one of them."
            )
    return list(by_target.values())


def remaining(jobs: Iterable[FlowJob], settings: FlowSettings) -> list[FlowJob]:
    """The jobs whose flow file is missing or damaged.

    Raises:
        ValueError: If there is a flow file of other settings.
    """
    todo = []
    for job in jobs:
        present = read_settings(job.target)
        if present is None:
            todo.append(job)
        elif present != settings:
            wanted = vars(settings)
            difference = " and ".join(
                f"{name.replace('_', ' ')} {value} instead of {wanted[name]}"
                for name, value in vars(present).items()
                if value != wanted[name]
            )
            raise ValueError(
                f"{job.target} was made with {difference}: choose another --out, or delete "
                "that folder."
            )
    return todo


def extract(job: FlowJob, settings: FlowSettings) -> str | None:
    """Make one flow file with one thread; returns what is wrong with the video, or None."""
    cv2.setNumThreads(1)
    try:
        flow = video_flow(job.video, settings.method, settings.short_side)
        write_flow(job.target, flow, settings)
    except UnreadableVideoError as error:
        return str(error)
    return None


def conclude(broken: Sequence[str], tried: int, before: int, report: Path) -> int:
    """List the broken videos, say what was done, and give the exit code.

    Args:
        broken: A line ``path<TAB>reason`` for each video without a result.
        tried: Videos of this run, the broken ones included.
        before: Videos that an earlier run had done.
        report: The list; removed if no video is broken.
    """
    if broken:
        with durable_file(report) as file:
            file.write("".join(f"{line}\n" for line in sorted(broken)).encode())
    else:
        report.unlink(missing_ok=True)
    print(
        f"{tried - len(broken)} videos done now, {before} before, {len(broken)} broken"
        + (f" ({report})" if broken else "")
    )
    return 1 if broken else 0
