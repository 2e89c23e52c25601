"""Which videos a folder holds."""

from __future__ import annotations

import os
from pathlib import Path

# In the order of preference where one video is there in several formats.
VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv")


def find_videos(root: Path) -> list[str]:
    """List the videos in a folder and its subfolders, links to folders included.

    Hidden files and folders are left out; among them are the ``._*.avi`` files that
    macOS leaves beside the real ones.

    Args:
        root (Path): The folder.

    Returns:
        list[str]: Sorted paths relative to ``root``, with ``/`` between the parts.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder of videos at {root}.")
    found, visited = [], set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:  # a link back up would never end
            folders.clear()
            continue
        visited.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES:
                found.append(Path(folder, name).relative_to(root).as_posix())
    return sorted(found)


def printable(path: Path | str) -> str:
    """A path as text that any file or terminal takes; bytes that are no UTF-8 as ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
