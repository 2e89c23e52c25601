"""What the lists of a data set say: which video is in which split, and its label."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

UNLABELLED = -1


@dataclass(frozen=True)
class Entry:
    """One video of a list.

    Args:
        class_name (str): Name of its class.
        stem (str): File name without the suffix; what it is found by.
        label (int): 0-based label, or :data:`UNLABELLED`.
    """

    class_name: str
    stem: str
    label: int

    def __str__(self) -> str:
        return f"{self.class_name}/{self.stem}"


@dataclass(frozen=True)
class Split:
    """One part of a data set, which becomes one annotation file.

    Args:
        file_name (str): Name of the annotation file.
        videos (Path): Folder that its lines are relative to.
        entries (tuple[Entry, ...]): Its videos, in the order of the list.
        official_count (int | None): How many the authors published, if that is fixed.
    """

    file_name: str
    videos: Path
    entries: tuple[Entry, ...]
    official_count: int | None = None


@dataclass(frozen=True)
class VideoLists:
    """All splits of a data set.

    Args:
        splits (tuple[Split, ...]): The splits.
        unused (tuple[Entry, ...]): Videos that belong to the data set and to no split.
        warnings (tuple[str, ...]): What is odd about the lists, in sentences.
    """

    splits: tuple[Split, ...]
    unused: tuple[Entry, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Read a text file as (line number from 1, stripped line), without empty lines.

    The official files have Windows and Unix line ends; a byte order mark is dropped.
    """
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def folder_with(root: Path, pattern: str, hint: str) -> Path:
    """Find the folder that holds files of a kind, in ``root`` or below it.

    Archives bring a folder of their own (``ucfTrainTestlist/``), which need not be moved.

    Args:
        root (Path): Where to look.
        pattern (str): Glob pattern of a file that has to be there.
        hint (str): Sentence that says what to do where it is not.

    Raises:
        FileNotFoundError: If no file fits.
    """
    fitting = sorted(path for path in root.rglob(pattern) if not path.name.startswith("."))
    if not fitting:
        raise FileNotFoundError(f"No file {pattern} in {root}. {hint}")
    return min((path.parent for path in fitting), key=lambda folder: len(folder.parts))


def count_warnings(splits: tuple[Split, ...]) -> tuple[str, ...]:
    """Say which splits list another number of videos than the authors published."""
    return tuple(
        f"{split.file_name}: the split files list {len(split.entries)} videos, the official "
        f"ones {split.official_count}; get the split files again."
        for split in splits
        if split.official_count not in (None, len(split.entries))
    )
