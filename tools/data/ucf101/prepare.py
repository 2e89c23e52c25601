"""Prepare UCF101: write MMAction2's annotation files from archives or unpacked videos.

In the root of the repository, with the two files of the official site:

    python tools/data/ucf101/prepare.py \\
        --archives UCF101.rar UCF101TrainTestSplits-RecognitionTask.zip

A stopped preparation continues with the same command. See docs/data/ucf101.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

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
OFFICIAL_COUNTS = {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}
HINT = "Unpack UCF101TrainTestSplits-RecognitionTask.zip there, or name it with --archives."


def read_lists(annotations: Path, videos: Path) -> VideoLists:
    """Read ``classInd.txt``, ``trainlistNN.txt`` and ``testlistNN.txt``.

    Args:
        annotations: Folder with the split files, or a parent of it.
        videos: Folder of the videos.

    Raises:
        FileNotFoundError: If a split file is missing.
        ValueError: If a line is wrong.
    """
    folder = folder_with(annotations, "classInd.txt", HINT)
    labels = {}
    for number, line in read_lines(folder / "classInd.txt", HINT):
        index, _, name = line.partition(" ")
        if not index.isdecimal() or int(index) < 1 or not name:
            where = f"{folder / 'classInd.txt'}:{number}"
            raise ValueError(f"{where}: expected 'number class', but it says {line!r}.")
        labels[name.strip()] = int(index) - 1
    splits = []
    for split, counts in OFFICIAL_COUNTS.items():
        for part, kind, count in zip(("train", "val"), ("train", "test"), counts):
            path = folder / f"{kind}list{split:02d}.txt"
            entries = tuple(read_entry(path, *line, labels) for line in read_lines(path, HINT))
            name = f"ucf101_{part}_split_{split}_videos.txt"
            splits.append(Split(name, videos, entries, count))
    return VideoLists(tuple(splits), warnings=wrong_counts(splits))


def read_entry(path: Path, number: int, line: str, labels: Mapping[str, int]) -> Entry:
    """Read a line ``Class/video.avi``, with or without the label counted from 1."""
    name, _, label = line.partition(" ")
    video = PurePosixPath(name)
    class_name = video.parent.name
    if class_name not in labels:
        raise ValueError(f"{path}:{number}: no class {class_name!r} in classInd.txt: {line!r}.")
    right = str(labels[class_name] + 1)
    if label not in ("", right):
        raise ValueError(
            f"{path}:{number}: label {label!r}, but {class_name} is class {right} in classInd.txt."
        )
    return Entry(class_name, video.stem, labels[class_name])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the preparation and return the exit code."""
    return prepare_three_splits("ucf101", read_lists, CONFIGS, __doc__, argv)


if __name__ == "__main__":
    run_tool(main)
