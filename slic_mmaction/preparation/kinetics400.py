"""Kinetics-400's CSV files: ``label,youtube_id,time_start,time_end,split``.

Source: https://storage.googleapis.com/deepmind-media/Datasets/kinetics400.tar.gz and the
CVDF copy, https://github.com/cvdfoundation/kinetics-dataset.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from .lists import UNLABELLED, Entry, Split, VideoLists

NUM_CLASSES = 400
COLUMNS = ("youtube_id", "time_start", "time_end")
PARTS = {"train": "train", "val": "val", "validate": "val", "validation": "val", "test": "test"}
HINT = "Get train.csv and validate.csv (or val.csv) as docs/data/kinetics400.md says."


def folder_name(label: str) -> str:
    """Name of a class as MMAction2 writes it: no quotes, underscores for spaces."""
    return label.replace('"', "").strip().replace(" ", "_")


def read_csv(path: Path) -> list[tuple[str, str, str]]:
    """Read one CSV file.

    Args:
        path (Path): The file. Where it has no column ``split``, its name says the split.

    Returns:
        list[tuple[str, str, str]]: (split, class, stem) of every row; the class is empty
        where no label is given, as in the test set.

    Raises:
        ValueError: If a column or a value is missing or wrong.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if absent := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
            raise ValueError(f"{path}: no column {absent[0]!r} in its first line. {HINT}")
        rows = []
        for row in reader:
            part = row.get("split") or path.stem.lower().rpartition("_")[2]
            try:
                start, end = (int(float(row[name])) for name in COLUMNS[1:])
                part = PARTS[part]
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}:{reader.line_num}: expected times in seconds and a split of "
                    f"train, val or test, but it says {row}."
                ) from error
            stem = f"{row['youtube_id']}_{start:06d}_{end:06d}"
            rows.append((part, folder_name(row.get("label") or ""), stem))
    return rows


def read_lists(annotations: Path, videos: Mapping[str, Path]) -> VideoLists:
    """Read all CSV files of a folder; labels number the sorted class names, as in MMAction2.

    Args:
        annotations (Path): Folder with the CSV files.
        videos (Mapping[str, Path]): Folder of the videos of each split (``train``, ``val``,
            ``test``). Splits that are not in it are left out.

    Raises:
        FileNotFoundError: If no CSV file lists one of the splits.
    """
    rows = [row for path in sorted(annotations.glob("*.csv")) for row in read_csv(path)]
    classes = {
        name: label for label, name in enumerate(sorted({name for _, name, _ in rows if name}))
    }
    splits = []
    for part, folder in videos.items():
        # A dict drops rows that are there twice: some copies hold a split in two files.
        entries = tuple(
            dict.fromkeys(
                Entry(name or "unlabelled", stem, classes.get(name, UNLABELLED))
                for row_part, name, stem in rows
                if row_part == part
            )
        )
        if not entries:
            raise FileNotFoundError(f"No CSV file in {annotations} lists {part} videos. {HINT}")
        splits.append(Split(f"kinetics400_{part}_list_videos.txt", folder, entries))
    warnings: tuple[str, ...] = ()
    if len(classes) != NUM_CLASSES:
        warnings = (
            f"The CSV files in {annotations} name {len(classes)} classes, not {NUM_CLASSES}: "
            "the labels are not those of MMAction2's Kinetics-400 models.",
        )
    return VideoLists(tuple(splits), warnings=warnings)


def underscore_class_folders(videos: Path) -> int:
    """Rename class folders ``air drumming`` to ``air_drumming``, as MMAction2 asks for.

    Returns:
        int: Number of folders renamed.

    Raises:
        FileExistsError: If both names are there. Nothing is renamed then.
    """
    spaced = [path for path in sorted(videos.iterdir()) if path.is_dir() and " " in path.name]
    targets = [path.with_name(folder_name(path.name)) for path in spaced]
    for path, target in zip(spaced, targets):
        if target.exists():
            raise FileExistsError(f"Cannot rename {path}: {target} is there too; merge the two.")
    for path, target in zip(spaced, targets):
        path.rename(target)
    return len(spaced)
