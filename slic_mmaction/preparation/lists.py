"""The lists of a dataset: the splits, with the labels and files of their videos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .video_files import VIDEO_SUFFIXES

UNLABELLED = -1


class Entry(NamedTuple):
    """One video of a list."""

    class_name: str
    stem: str  # name of its file without suffix, or its path
    label: int  # from 0

    def __str__(self) -> str:
        return f"{self.class_name}/{self.stem}"


class Split(NamedTuple):
    """A split of a dataset, which becomes an annotation file."""

    file_name: str
    videos: Path  # folder to which its lines are relative
    entries: tuple[Entry, ...]  # in the order of the list
    official_count: int | None = None  # number of videos in the official split, if fixed


class VideoLists(NamedTuple):
    """All splits of a dataset."""

    splits: tuple[Split, ...]
    unused: tuple[Entry, ...] = ()  # videos of no split
    warnings: tuple[str, ...] = ()  # sentences about problems of the lists


def read_lines(path: Path, hint: str) -> list[tuple[int, str]]:
    """Read an official list as (line number from 1, stripped line), without empty lines."""
    if not path.is_file():
        raise FileNotFoundError(f"The split file {path} is missing. {hint}")
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def folder_with(root: Path, pattern: str, hint: str) -> Path:
    """Find the folder in or below ``root`` with files of a pattern."""
    fitting = sorted(path for path in root.rglob(pattern) if not path.name.startswith("."))
    if not fitting:
        raise FileNotFoundError(f"No file {pattern} in {root}. {hint}")
    return min((path.parent for path in fitting), key=lambda folder: len(folder.parts))


def wrong_counts(splits: Sequence[Split]) -> tuple[str, ...]:
    """Warn of splits with another number of videos than the official ones."""
    return tuple(
        f"{split.file_name}: the split files list {len(split.entries)} videos, the official "
        f"ones {split.official_count}; get the split files again."
        for split in splits
        if len(split.entries) != split.official_count
    )


def match_files(
    entries: Iterable[Entry], class_names: Iterable[str], paths: Sequence[str]
) -> dict[Entry, list[str]]:
    """Find the files of every video by their name without the suffix, best first.

    A file in the folder of the video's class is first, then one in a folder that is not of a class
    (all videos in one folder, or replacements of broken files). A file in the folder of another
    class is another video. Otherwise the order is that of ``VIDEO_SUFFIXES``. ``class_names`` are
    all classes of the dataset.
    """

    def plain(class_name: str) -> str:
        return class_name.casefold().replace(" ", "_")

    by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
    for path in map(PurePosixPath, paths):
        by_stem[path.stem].append(path)
    classes = set(map(plain, class_names))
    matched = {}
    for entry in entries:
        fitting = []
        for path in by_stem.get(entry.stem, ()):
            folder, rank = plain(path.parent.name), VIDEO_SUFFIXES.index(path.suffix.lower())
            elsewhere = folder != plain(entry.class_name)
            if not (elsewhere and folder in classes):
                fitting.append((elsewhere, rank, str(path)))
        matched[entry] = [path for _, _, path in sorted(fitting)]
    return matched
