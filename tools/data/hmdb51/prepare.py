"""Prepare HMDB51: write MMAction2's annotation files from archives or unpacked videos.

In the root of the repository, with the two files of the official site:

    python tools/data/hmdb51/prepare.py --archives hmdb51_org.rar test_train_splits.rar

A stopped preparation continues with the same command. See docs/data/hmdb51.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from slic_mmaction.preparation.lists import (
    Entry,
    Split,
    VideoLists,
    folder_with,
    read_lines,
    wrong_counts,
)
from slic_mmaction.preparation.options import run_tool
from slic_mmaction.preparation.summary import prepare_three_splits

CONFIGS = Path(__file__).parents[3] / "configs"
OFFICIAL_COUNTS = (3570, 1530)
HINT = "Unpack test_train_splits.rar there, or name it with --archives."


def read_lists(annotations: Path, videos: Path) -> VideoLists:
    """Read a ``<class>_test_split<N>.txt`` for each class and split, lines ``video.avi code``.

    The code is 0 for unused, 1 for training, 2 for test. Labels are the indices of the sorted class
    names, as in MMAction2.

    Args:
        annotations: Folder with the split files, or a parent of it.
        videos: Folder of the videos.

    Raises:
        FileNotFoundError: If there is no split file, or that of a class is missing.
        ValueError: If a line is wrong.
    """
    folder = folder_with(annotations, "*_test_split1.txt", HINT)
    found = (re.fullmatch(r"(?!\.)(.+)_test_split[123]\.txt", p.name) for p in folder.iterdir())
    # Sorted by class, not by file: `sword` comes before `sword_exercise`, but its file after it.
    classes = sorted({match[1] for match in found if match})
    splits = []
    unused: list[Entry] = []
    for split in (1, 2, 3):
        entries: dict[str, list[Entry]] = {"0": unused, "1": [], "2": []}
        for label, class_name in enumerate(classes):
            path = folder / f"{class_name}_test_split{split}.txt"
            for number, line in read_lines(path, HINT):
                name, _, code = line.rpartition(" ")
                if code not in entries or not name:
                    raise ValueError(
                        f"{path}:{number}: expected 'video.avi code' with a code of 0, 1 or 2, "
                        f"but it says {line!r}."
                    )
                entries[code].append(Entry(class_name, Path(name.strip()).stem, label))
        for part, code, count in zip(("train", "val"), "12", OFFICIAL_COUNTS):
            name = f"hmdb51_{part}_split_{split}_videos.txt"
            splits.append(Split(name, videos, tuple(entries[code]), count))
    return VideoLists(tuple(splits), tuple(unused), wrong_counts(splits))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the preparation and return the exit code."""
    return prepare_three_splits("hmdb51", read_lists, CONFIGS, __doc__, argv)


if __name__ == "__main__":
    run_tool(main)
