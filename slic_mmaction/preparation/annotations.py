"""MMAction2's annotation files: one line ``path label`` for each video.

MMAction2's ``VideoDataset`` strips a line and splits it at every ``delimiter``, a space unless
the config says otherwise (mmaction2 1.2.0, ``datasets/video_dataset.py``). A path that
holds the delimiter gives three parts and a ValueError at training time.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..durable_file import write_text

STOCK_DELIMITER = " "
DELIMITERS = (STOCK_DELIMITER, "\t", ",", "|", ":::")


def unwritable(path: str) -> str | None:
    """Say why a path cannot stand in an annotation file, or None if it can.

    Args:
        path (str): The path.
    """
    if "\n" in path or "\r" in path:
        return "its name holds a line break; rename it"
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not valid UTF-8; rename it"
    return None


def choose_delimiter(paths: Iterable[str]) -> str:
    """Choose what separates path and label: a space, unless a path holds one.

    Args:
        paths (Iterable[str]): All paths that are to be written.

    Raises:
        ValueError: If every candidate occurs in some path.
    """
    candidates = list(DELIMITERS)
    for path in paths:
        candidates = [delimiter for delimiter in candidates if delimiter not in path]
        if not candidates:
            raise ValueError(f"No delimiter fits: rename {path!r}, whose name holds the last one.")
    return candidates[0]


def write_annotations(path: Path, rows: Iterable[tuple[str, int]], delimiter: str) -> None:
    """Write an annotation file; it appears whole or not at all.

    Args:
        path (Path): Where to.
        rows (Iterable[tuple[str, int]]): Paths relative to the video root, and labels.
        delimiter (str): What separates the two.
    """
    write_text(path, "".join(f"{_sheltered(name)}{delimiter}{label}\n" for name, label in rows))


def _sheltered(path: str) -> str:
    """A path whose first character survives: lines are stripped, byte order marks dropped."""
    return f"./{path}" if path[0].isspace() or path[0] == "\ufeff" else path
