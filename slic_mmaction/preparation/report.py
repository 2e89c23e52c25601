"""What a preparation found and wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .lists import Entry, Split


@dataclass(frozen=True)
class SplitReport:
    """What became of one split: its entries are usable, missing or broken.

    Args:
        split (Split): The split.
        annotations (Path): Its annotation file.
        usable (int): Lines in that file.
        missing (int): Videos without a file.
        broken (int): Videos of which every file is faulty.
    """

    split: Split
    annotations: Path
    usable: int
    missing: int
    broken: int


@dataclass(frozen=True)
class Report:
    """What a preparation found and wrote.

    Args:
        out (Path): Folder of the written files.
        splits (list[SplitReport]): The splits.
        delimiter (str): What separates path and label in the annotation files.
        found (int): Number of video files found.
        probed (int): How many of them were probed now; the others were known.
        usable (int): Number of different videos in the annotation files.
        missing (list[Entry]): Listed videos without a file.
        extra (list[Path]): Files that no list names.
        faults (dict[Path, str]): Files left out, and why.
        warnings (tuple[str, ...]): What is odd about the lists.
    """

    out: Path
    splits: list[SplitReport]
    delimiter: str
    found: int
    probed: int
    usable: int
    missing: list[Entry]
    extra: list[Path]
    faults: dict[Path, str]
    warnings: tuple[str, ...]
