"""Prepare Kinetics-400: write MMAction2's annotation files from CSV files and videos.

In the root of the repository, with data/kinetics400/{annotations,videos_train,videos_val}:

    python tools/data/kinetics400/prepare.py

A stopped preparation continues with the same command. See docs/data/kinetics400.md.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from slic_mmaction.preparation.lists import UNLABELLED, Entry, Split, VideoLists
from slic_mmaction.preparation.options import add_probe_options, run_tool, settings_from
from slic_mmaction.preparation.prepare import prepare
from slic_mmaction.preparation.summary import conclude

CONFIGS = Path(__file__).parents[3] / "configs"
NUM_CLASSES = 400
COLUMNS = ("youtube_id", "time_start", "time_end")
PARTS = ("train", "val", "test")
NAMES_OF_PARTS = {**dict(zip(PARTS, PARTS)), "validate": "val", "validation": "val"}
HINT = "Get train.csv and validate.csv (or val.csv) as docs/data/kinetics400.md says."


def folder_name(label: str) -> str:
    """Return the folder name of a class in MMAction2: no quotes, underscores for spaces."""
    return label.replace('"', "").strip().replace(" ", "_")


def read_csv(path: Path) -> list[tuple[str, str, str]]:
    """Read a CSV file of columns ``label,youtube_id,time_start,time_end,split``.

    Without a column ``split``, the split is read from the file's name.

    Returns:
        (split, class, stem) of every row. The class is empty if there is no label, as in the test
        set.

    Raises:
        ValueError: If a column or a value is missing or wrong.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if absent := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
            raise ValueError(f"{path}: no column {absent[0]!r} in its first line. {HINT}")
        rows = []
        for row in reader:
            try:
                part = NAMES_OF_PARTS[row.get("split") or path.stem.lower().rpartition("_")[2]]
                start, end = (int(float(row[name])) for name in COLUMNS[1:])
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}:{reader.line_num}: expected times in seconds and a split of train, "
                    f"val or test, but it says {row}."
                ) from error
            stem = f"{row['youtube_id']}_{start:06d}_{end:06d}"
            rows.append((part, folder_name(row.get("label") or ""), stem))
    return rows


def read_lists(annotations: Path, videos: Mapping[str, Path]) -> VideoLists:
    """Read all CSV files of a folder.

    Labels are the indices of the sorted class names, as in MMAction2.

    Args:
        annotations: Folder with the CSV files.
        videos: Folder of the videos of each split. Other splits are left out.

    Raises:
        FileNotFoundError: If no CSV file lists one of the splits.
    """
    rows = [row for path in sorted(annotations.glob("*.csv")) for row in read_csv(path)]
    classes = {name: i for i, name in enumerate(sorted({name for _, name, _ in rows if name}))}
    splits = []
    for part, folder in videos.items():
        listed = (
            Entry(name or "unlabelled", stem, classes.get(name, UNLABELLED))
            for row_part, name, stem in rows
            if row_part == part
        )
        # A dict removes duplicate rows: some copies have a split in two files.
        entries = tuple(dict.fromkeys(listed))
        if not entries:
            raise FileNotFoundError(f"No CSV file in {annotations} lists {part} videos. {HINT}")
        splits.append(Split(f"kinetics400_{part}_list_videos.txt", folder, entries))
    odd = (
        f"The CSV files in {annotations} name {len(classes)} classes, not {NUM_CLASSES}: "
        "the labels are not those of MMAction2's Kinetics-400 models."
    )
    return VideoLists(tuple(splits), warnings=() if len(classes) == NUM_CLASSES else (odd,))


def underscore_class_folders(videos: Path) -> int:
    """Rename class folders ``air drumming`` to ``air_drumming``, as in MMAction2.

    Returns:
        Number of renamed folders.

    Raises:
        FileExistsError: If both names exist. Nothing is renamed then.
    """
    spaced = [path for path in sorted(videos.iterdir()) if path.is_dir() and " " in path.name]
    targets = [path.with_name(folder_name(path.name)) for path in spaced]
    for path, target in zip(spaced, targets):
        if target.exists():
            raise FileExistsError(
                f"Cannot rename {path}: {target} exists, too. Merge the two folders."
            )
    for path, target in zip(spaced, targets):
        path.rename(target)
    return len(spaced)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--root", type=Path, default=Path("data/kinetics400"), help="folder of the dataset")
    add("--annotations", type=Path, help="folder of the CSV files (default: ROOT/annotations)")
    for part in PARTS:
        add(f"--videos-{part}", type=Path, help=f"{part} videos (default: ROOT/videos_{part})")
    add(
        "--underscore-folders",
        action="store_true",
        help="rename class folders 'air drumming' to 'air_drumming', as MMAction2's configs want",
    )
    add_probe_options(parser)
    return parser.parse_args(argv)


def video_folders(args: argparse.Namespace) -> dict[str, Path]:
    """Return the existing video folders by split.

    Raises:
        FileNotFoundError: If a given folder does not exist, or there is none at all.
    """
    folders = {}
    for part in PARTS:
        named = getattr(args, f"videos_{part}")
        folder = named or args.root / f"videos_{part}"
        if folder.is_dir():
            folders[part] = folder
        elif named:
            raise FileNotFoundError(f"There is no folder of {part} videos at {named}.")
    if not folders:
        raise FileNotFoundError(
            f"No videos: {args.root / 'videos_train'} and {args.root / 'videos_val'} do not "
            "exist; give the folders with --videos-train and --videos-val."
        )
    return folders


def main(argv: Sequence[str] | None = None) -> int:
    """Run the preparation and return the exit code."""
    args = parse_args(argv)
    folders = video_folders(args)
    if args.underscore_folders:
        renamed = sum(underscore_class_folders(path) for path in dict.fromkeys(folders.values()))
        print(f"class folders renamed: {renamed}")
    lists = read_lists(args.annotations or args.root / "annotations", folders)
    report = prepare(lists, args.root, settings_from(args))
    first = next(iter(folders))
    config = args.root / f"slic_r3d_kinetics400_{first}.py"
    # No validation, which would embed all training videos each time.
    base = CONFIGS / "slic_r3d_k400.py"
    return conclude(report, config, base, lists.splits[0].file_name, None)


if __name__ == "__main__":
    run_tool(main)
