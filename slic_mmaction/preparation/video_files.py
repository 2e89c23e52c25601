"""Finding the videos of a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

# In the order of preference if a video exists in several formats.
VIDEO_SUFFIXES = (
    ".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv",
    # Camcorders, phones and older formats.
    ".mts", ".m2ts", ".ts", ".3gp", ".3g2", ".ogv", ".ogm", ".mxf", ".vob", ".mod", ".tod", ".dv",
    ".divx", ".asf", ".f4v", ".m2v", ".mpe", ".mpv", ".qt", ".rm", ".rmvb", ".insv", ".lrv", ".gif",
    ".m2t", ".m2p", ".m1v", ".trp", ".3gpp", ".360", ".lrf", ".ivf", ".nut", ".y4m", ".h264",
    ".264", ".h265", ".hevc",
)  # fmt: skip


def scan_folder(root: Path) -> tuple[list[str], Counter[str]]:
    """List the videos in a folder and its subfolders, including linked folders.

    Hidden files and folders are skipped, such as the ``._*.avi`` files of macOS.

    Returns:
        Sorted POSIX paths relative to ``root``, and the numbers of other files by suffix.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder of videos at {root}.")
    found, others, visited = [], Counter[str](), set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:  # a link to a parent folder would never end
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
    """Find the videos of :func:`scan_folder`, including those moved to the quarantine.

    In the quarantine they keep their path relative to ``root``, below the name of ``root``.
    """
    found, others = scan_folder(root)
    places = {path: root / path for path in found}
    if quarantine is not None:
        if root.resolve() in (quarantine.resolve(), *quarantine.resolve().parents):
            raise ValueError(
                f"The quarantine {quarantine} is inside of {root}: choose another folder."
            )
        moved = quarantine / root.name
        for path in scan_folder(moved)[0] if moved.is_dir() else ():
            places.setdefault(path, moved / path)  # one in both places was downloaded again
    return dict(sorted(places.items())), others


def count_others(others: Mapping[str, int]) -> str:
    """Format the numbers of files that are not videos: ``12 .jpg, 1 hidden``."""
    ranked = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {printable(kind)}" for kind, count in ranked) or "nothing"


def printable(path: Path | str) -> str:
    """Convert a path to valid UTF-8 text, with other bytes as ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
