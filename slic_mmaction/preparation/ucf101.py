"""UCF101's split files: ``classInd.txt``, ``trainlistNN.txt`` and ``testlistNN.txt``.

Source: UCF101TrainTestSplits-RecognitionTask.zip, https://www.crcv.ucf.edu/data/UCF101.php.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from .lists import Entry, Split, VideoLists, count_warnings, folder_with, read_lines

OFFICIAL_COUNTS = {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}
HINT = "Unpack UCF101TrainTestSplits-RecognitionTask.zip there, or name it with --archives."


def read_class_index(path: Path) -> dict[str, int]:
    """Read ``classInd.txt``, lines ``number name`` counted from 1.

    Returns:
        dict[str, int]: 0-based label of every class.

    Raises:
        ValueError: If a line is not a number and a name.
    """
    labels = {}
    for number, line in read_lines(path):
        index, _, name = line.partition(" ")
        if not index.isdecimal() or int(index) < 1 or not name:
            raise ValueError(f"{path}:{number}: expected 'number class', but it says {line!r}.")
        labels[name.strip()] = int(index) - 1
    return labels


def read_list(path: Path, labels: dict[str, int]) -> tuple[Entry, ...]:
    """Read a split file, lines ``Class/video.avi`` with or without the 1-based label.

    Args:
        path (Path): ``trainlistNN.txt`` or ``testlistNN.txt``.
        labels (dict[str, int]): 0-based label of every class.

    Raises:
        ValueError: If a line names an unknown class, or a label that is not its class's.
    """
    entries = []
    for number, line in read_lines(path):
        name, _, label = line.partition(" ")
        video = PurePosixPath(name)
        class_name = video.parent.name
        if class_name not in labels:
            raise ValueError(f"{path}:{number}: no class {class_name!r} in classInd.txt: {line!r}.")
        if label and label != str(labels[class_name] + 1):
            raise ValueError(
                f"{path}:{number}: label {label!r}, but {class_name} is class "
                f"{labels[class_name] + 1} in classInd.txt."
            )
        entries.append(Entry(class_name, video.stem, labels[class_name]))
    return tuple(entries)


def read_lists(annotations: Path, videos: Path) -> VideoLists:
    """Read the three splits.

    Args:
        annotations (Path): Folder with the split files, or above them.
        videos (Path): Folder of the videos.

    Raises:
        FileNotFoundError: If a split file is missing.
    """
    folder = folder_with(annotations, "classInd.txt", HINT)
    labels = read_class_index(folder / "classInd.txt")
    splits = []
    for number, counts in OFFICIAL_COUNTS.items():
        for part, kind, count in zip(("train", "val"), ("train", "test"), counts):
            path = folder / f"{kind}list{number:02d}.txt"
            if not path.is_file():
                raise FileNotFoundError(f"The split file {path} is missing. {HINT}")
            name = f"ucf101_{part}_split_{number}_videos.txt"
            splits.append(Split(name, videos, read_list(path, labels), count))
    return VideoLists(tuple(splits), warnings=count_warnings(tuple(splits)))
