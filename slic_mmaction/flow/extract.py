"""Extracting from many videos: what is asked for, and what came of it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from ..durable_file import durable_file
from ..preparation.options import positive_int
from ..preparation.video_files import scan_folder

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
    """The videos that a command line names, each once, and the root of their names.

    Args:
        videos: MMAction2 annotation file (lines ``path [label ...]``), or folder of videos (those
            in folders below it count).
        video_root: Folder that names are relative to; needed for a file.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If the root is needed, or there is no video.
    """
    if videos.is_dir():
        found = [videos / name for name in scan_folder(videos)[0]]
        video_root = video_root or videos
    elif not videos.is_file():
        raise FileNotFoundError(f"There is no annotation file or folder {videos}.")
    elif video_root is None:
        raise ValueError(
            f"{videos} is an annotation file: name the folder that its paths are relative "
            "to with --video-root."
        )
    else:
        lines = videos.read_text(encoding="utf-8").splitlines()
        names = (_LABELS.sub("", line).strip() for line in lines)
        found = list(dict.fromkeys(video_root / name for name in names if name))
    if not found:
        raise ValueError(f"There is no video in {videos}.")
    return found, video_root


def conclude(broken: Sequence[str], tried: int, before: int, report: Path) -> int:
    """Say what was done, list the broken videos in ``report``, and give the exit code.

    Args:
        broken: A line ``path<TAB>reason`` for each video without a result.
        tried: Videos of this run, the broken ones included.
        before: Videos that an earlier run had done.
        report: Removed if no video is broken.
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
