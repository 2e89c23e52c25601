"""Writing annotation files, tables, and a config that trains on them.

MMAction2's ``VideoDataset`` strips a line ``path label`` and splits it at every ``delimiter``, by
default a space (mmaction2 1.2.0, ``datasets/video_dataset.py``). A path that contains the delimiter
gives three parts and a ValueError in training.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..durable_file import write_text
from .video_files import printable

STOCK_DELIMITER = " "
DELIMITERS = (STOCK_DELIMITER, "\t", ",", "|", ":::")
BASE_CONFIG = "slic_r3d_ucf101.py"
SEAL = "# Written for these videos; a changed file is not overwritten. "


def unwritable(path: str) -> str | None:
    """Return why a path cannot be in an annotation file, or None if it can."""
    if "\n" in path or "\r" in path:
        return "its name has a line break; rename it"
    return "its name is not valid UTF-8; rename it" if printable(path) != path else None


def choose_delimiter(paths: Iterable[str]) -> str:
    """Choose the separator of path and label: a space, unless a path contains one."""
    candidates = list(DELIMITERS)
    for path in paths:
        candidates = [delimiter for delimiter in candidates if delimiter not in path]
        if not candidates:
            raise ValueError(f"No delimiter is possible: rename {path!r}, which contains the last.")
    return candidates[0]


def write_annotations(path: Path, rows: Sequence[tuple[str, int]], delimiter: str) -> None:
    """Write an annotation file of (path relative to the video root, label)."""
    # VideoDataset strips lines and drops byte order marks; "./" protects such a first character.
    prefixes = ("./" if name[0].isspace() or name[0] == "\ufeff" else "" for name, _ in rows)
    lines = (f"{pre}{name}{delimiter}{label}\n" for pre, (name, label) in zip(prefixes, rows))
    write_text(path, "".join(lines))


def write_faults(path: Path, faults: Mapping[Path, str]) -> None:
    """Write a CSV file of the videos that are left out, with the reasons."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "reason"))
    writer.writerows(sorted((printable(file), reason) for file, reason in faults.items()))
    write_text(path, text.getvalue())


def write_config(path: Path, base: Path, lines: Iterable[str]) -> bool:
    """Write a config that changes a base config, unless the file exists and was edited.

    Returns:
        Whether the file was written.
    """
    # The path is absolute, because `..` of a linked data folder is another folder.
    text = "".join(f"{line}\n" for line in (f"_base_ = {base.resolve().as_posix()!r}", *lines))
    present = path.read_text(encoding="utf-8") if path.exists() else ""
    if present not in ("", text) and present != _sealed(present.partition("\n")[2]):
        return False
    write_text(path, _sealed(text))
    return True


def _sealed(text: str) -> str:
    return f"{SEAL}{hashlib.sha1(text.encode()).hexdigest()[:12]}\n{text}"
