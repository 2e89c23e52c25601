"""HMDB51's split files: one ``<class>_test_split<N>.txt`` for each class and split.

Source: test_train_splits.rar and its readme,
https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/.
"""

from __future__ import annotations

import re
from pathlib import Path

from .lists import Entry, Split, VideoLists, count_warnings, folder_with, read_lines

OFFICIAL_COUNTS = (3570, 1530)
HINT = "Unpack test_train_splits.rar there, or name it with --archives."
UNUSED, TRAIN, TEST = "0", "1", "2"


def read_class_split(path: Path) -> list[tuple[str, str]]:
    """Read the lines ``video.avi code`` of one class and split.

    Returns:
        list[tuple[str, str]]: (stem, code), the code 0 unused, 1 training or 2 test.

    Raises:
        ValueError: If a line has another code or none.
    """
    videos = []
    for number, line in read_lines(path):
        name, _, code = line.rpartition(" ")
        if code not in (UNUSED, TRAIN, TEST) or not name:
            raise ValueError(
                f"{path}:{number}: expected 'video.avi code' with a code of 0, 1 or 2, "
                f"but it says {line!r}."
            )
        videos.append((Path(name.strip()).stem, code))
    return videos


def read_lists(annotations: Path, videos: Path) -> VideoLists:
    """Read the three splits; labels number the sorted class names, as in MMAction2.

    Args:
        annotations (Path): Folder with the split files, or above them.
        videos (Path): Folder of the videos.

    Raises:
        FileNotFoundError: If there is no split file, or one of a class is missing.
    """
    folder = folder_with(annotations, "*_test_split1.txt", HINT)
    pattern = re.compile(r"(.+)_test_split[123]\.txt")
    matches = (pattern.fullmatch(path.name) for path in folder.iterdir())
    # Sorted by class, not by file: `sword` comes before `sword_exercise`, its file after.
    classes = sorted({match[1] for match in matches if match and not match[1].startswith(".")})
    splits: list[Split] = []
    unused: list[Entry] = []
    for number in (1, 2, 3):
        entries: dict[str, list[Entry]] = {UNUSED: unused, TRAIN: [], TEST: []}
        for label, class_name in enumerate(classes):
            path = folder / f"{class_name}_test_split{number}.txt"
            if not path.is_file():
                raise FileNotFoundError(f"The split file {path} is missing. {HINT}")
            for stem, code in read_class_split(path):
                entries[code].append(Entry(class_name, stem, label))
        for part, code, count in zip(("train", "val"), (TRAIN, TEST), OFFICIAL_COUNTS):
            name = f"hmdb51_{part}_split_{number}_videos.txt"
            splits.append(Split(name, videos, tuple(entries[code]), count))
    return VideoLists(tuple(splits), unused=tuple(unused), warnings=count_warnings(tuple(splits)))
