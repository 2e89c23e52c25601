"""The list of videos that are left out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from ..durable_file import write_text
from .video_files import printable


def write_quarantine(path: Path, faults: Iterable[tuple[Path, str]]) -> None:
    """Write ``quarantine.csv`` with the columns path and reason, sorted by path.

    Args:
        path (Path): Where to.
        faults (Iterable[tuple[Path, str]]): Where each file lies and what is wrong with it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "reason"))
    writer.writerows(sorted((printable(file), reason) for file, reason in faults))
    write_text(path, text.getvalue())
