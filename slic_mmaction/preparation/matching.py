"""Which file is which video of the official lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from .lists import Entry
from .video_files import VIDEO_SUFFIXES


def _plain(class_name: str) -> str:
    return class_name.casefold().replace(" ", "_")


def match_files(
    entries: Iterable[Entry], class_names: Iterable[str], paths: Sequence[str]
) -> dict[Entry, list[str]]:
    """Find the files of every video by their name without the suffix.

    A file in the folder of the video's class comes first, then one in a folder that is no
    class's (all videos in one folder; files that replace broken ones). A file in another
    class's folder is another video. Within these the order is that of
    :data:`~slic_mmaction.preparation.video_files.VIDEO_SUFFIXES`.

    Args:
        entries (Iterable[Entry]): The videos.
        class_names (Iterable[str]): All classes of the data set.
        paths (Sequence[str]): The files, relative, ``/`` between the parts.

    Returns:
        dict[Entry, list[str]]: Files of every video, best first; none if it is missing.
    """
    by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
    for path in map(PurePosixPath, paths):
        by_stem[path.stem].append(path)
    classes = {_plain(name) for name in class_names}

    matched = {}
    for entry in entries:
        own = _plain(entry.class_name)
        fitting = []
        for path in by_stem.get(entry.stem, ()):
            folder = _plain(path.parent.name)
            if folder == own or folder not in classes:
                fitting.append(
                    (folder != own, VIDEO_SUFFIXES.index(path.suffix.lower()), str(path))
                )
        matched[entry] = [path for _, _, path in sorted(fitting)]
    return matched
