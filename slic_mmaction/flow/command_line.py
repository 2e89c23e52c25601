"""What the command lines of flow and motion extraction share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..durable_file import write_text
from ..preparation.options import positive_int


def add_video_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """Add the videos, where the result goes, and how many processes work on it.

    Args:
        parser (argparse.ArgumentParser): To be extended.
        out (str): Help for ``--out``.
    """
    parser.add_argument("videos", type=Path, help="annotation file, or folder of videos")
    parser.add_argument("--out", type=Path, required=True, help=out)
    parser.add_argument(
        "--video-root",
        type=Path,
        help="folder that an annotation file's paths are relative to (a dataset's data_prefix)",
    )
    parser.add_argument("--workers", type=positive_int, default=1, help="processes (default: 1)")


def conclude(broken: Sequence[str], tried: int, before: int, report: Path) -> int:
    """List the broken videos, say what was done, and give the exit code.

    Args:
        broken (Sequence[str]): A line ``path<TAB>reason`` for each video without a result.
        tried (int): Videos of this run, the broken ones included.
        before (int): Videos that an earlier run had done.
        report (Path): The list; removed if no video is broken.

    Returns:
        int: 1 if some are broken, else 0.
    """
    if broken:
        write_text(report, "".join(f"{line}\n" for line in sorted(broken)))
    else:
        report.unlink(missing_ok=True)
    print(
        f"{tried - len(broken)} videos done now, {before} before, {len(broken)} broken"
        + (f" ({report})" if broken else "")
    )
    return 1 if broken else 0
