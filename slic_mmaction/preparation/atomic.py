"""Files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

from ..durable_file import durable_file


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file; a reader sees the old or the new one, never a part.

    Args:
        path (Path): Where to; folders are made.
        text (str): Its content. Line ends are written as they are.
    """
    with durable_file(path) as file:
        file.write(text.encode())
