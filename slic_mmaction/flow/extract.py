"""Command line of the tools that extract flow or motion from many videos."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from ..durable_file import durable_file
from ..preparation.options import positive_int
from ..preparation.video_files import scan_folder

# The labels, if any, after the path in a line of an annotation file.
_LABELS = re.compile(r"(?:[\s,;]+-?\d+)*\s*$")


def add_video_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """Add the arguments for the videos, the output (with the help ``out``) and the processes."""
    parser.add_argument("videos", type=Path, help="annotation file, or folder of videos")
    parser.add_argument("--out", type=Path, required=True, help=out)
    parser.add_argument(
        "--video-root",
        type=Path,
        help="folder that an annotation file's paths are relative to (a dataset's data_prefix)",
    )
    parser.add_argument("--workers", type=positive_int, default=1, help="processes (default: 1)")


def videos_asked_for(videos: Path, video_root: Path | None) -> tuple[list[Path], Path]:
    """Find the distinct videos of a command line, and the root of their names.

    Args:
        videos: MMAction2 annotation file (lines ``path [label ...]``), or folder of videos,
            including those in subfolders.
        video_root: Folder to which names are relative; required for a file.

    Raises:
        FileNotFoundError: If the file or folder does not exist.
        ValueError: If the root is missing, or there is no video.
    """
    if videos.is_dir():
        found = [videos / name for name in scan_folder(videos)[0]]
        video_root = video_root or videos
    elif not videos.is_file():
        raise FileNotFoundError(f"There is no annotation file or folder {videos}.")
    elif video_root is None:
        raise ValueError(
            f"{videos} is an annotation file: give the folder to which its paths are relative "
            "with --video-root."
        )
    else:
        lines = videos.read_text(encoding="utf-8").split("\n")
        names = (_LABELS.sub("", line).strip() for line in lines)
        found = list(dict.fromkeys(video_root / name for name in names if name))
    if not found:
        raise ValueError(f"There is no video in {videos}.")
    return found, video_root


def conclude(broken: Sequence[str], tried: int, before: int, report: Path) -> int:
    """Print a summary, list the broken videos in ``report``, and return the exit code.

    Args:
        broken: A line ``path<TAB>reason`` for each video without a result.
        tried: Number of videos of this run, including broken ones.
        before: Number of videos that were finished before this run.
        report: File of the broken videos. It is removed if there are none.
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
