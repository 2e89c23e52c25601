"""Which videos a folder holds, and what else."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

# In the order of preference where one video is there in several formats.
VIDEO_SUFFIXES = (
    ".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv",
    # Camcorders, phones and older formats.
    ".mts", ".m2ts", ".ts", ".3gp", ".3g2", ".ogv", ".ogm", ".mxf", ".vob", ".mod", ".tod", ".dv",
    ".divx", ".asf", ".f4v", ".m2v", ".mpe", ".mpv", ".qt", ".rm", ".rmvb", ".insv", ".lrv", ".gif",
    ".m2t", ".m2p", ".m1v", ".trp", ".3gpp", ".360", ".lrf", ".ivf", ".nut", ".y4m", ".h264",
    ".264", ".h265", ".hevc",
)  # fmt: skip


def scan_folder(root: Path) -> tuple[list[str], Counter[str]]:
    """List the videos in a folder and its subfolders, links to folders included.

    Hidden files and folders are passed over; among them are the ``._*.avi`` files that macOS leaves
    beside the real ones.

    Returns:
        Sorted paths relative to ``root``, with ``/`` between the parts, and how many other files
        of which suffix there are.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder of videos at {root}.")
    found, others, visited = [], Counter[str](), set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:  # a link back up would never end
            folders.clear()
            continue
        visited.add(real)
        others.update("hidden" for name in folders if name.startswith("."))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            suffix = Path(name).suffix.lower()
            if name.startswith("."):
                others["hidden"] += 1
            elif suffix in VIDEO_SUFFIXES:
                found.append(Path(folder, name).relative_to(root).as_posix())
            else:
                others[suffix or "without suffix"] += 1
    return sorted(found), others


def locate_videos(root: Path, quarantine: Path | None) -> tuple[dict[str, Path], Counter[str]]:
    """Where the videos of :func:`scan_folder` lie, with those that were moved to the quarantine.

    There they keep their path relative to ``root``, below the name of ``root``.
    """
    found, others = scan_folder(root)
    places = {path: root / path for path in found}
    if quarantine is not None:
        if root.resolve() in (quarantine.resolve(), *quarantine.resolve().parents):
            raise ValueError(f"The quarantine {quarantine} lies within {root}; name another.")
        moved = quarantine / root.name
        for path in scan_folder(moved)[0] if moved.is_dir() else ():
            places.setdefault(path, moved / path)  # in both places: it was downloaded again
    return dict(sorted(places.items())), others


def count_others(others: Mapping[str, int]) -> str:
    """Counts of files that are no videos, for a person: ``12 .jpg, 1 hidden``."""
    ranked = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {printable(kind)}" for kind, count in ranked) or "nothing"


def printable(path: Path | str) -> str:
    """A path as text that any file or terminal takes; bytes that are no UTF-8 as ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
