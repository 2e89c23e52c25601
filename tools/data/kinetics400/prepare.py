"""Prepare Kinetics-400: CSV files and a folder of videos in, MMAction2 annotation files out.

In the root of the repository, with data/kinetics400/{annotations,videos_train,videos_val}:

    python tools/data/kinetics400/prepare.py

Can be stopped and started again at any time. More in docs/data/kinetics400.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from slic_mmaction.preparation.kinetics400 import read_lists, underscore_class_folders
from slic_mmaction.preparation.options import add_probe_options, run_tool, settings_from
from slic_mmaction.preparation.prepare import prepare
from slic_mmaction.preparation.ready_config import write_config
from slic_mmaction.preparation.summary import print_report

CONFIGS = Path(__file__).parents[3] / "configs"
PARTS = ("train", "val", "test")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--root", type=Path, default=Path("data/kinetics400"), help="folder of the data set")
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
    """Folders of the splits that are there.

    Raises:
        FileNotFoundError: If a folder that was named is not there, or there is none at all.
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
            f"No videos: {args.root / 'videos_train'} and {args.root / 'videos_val'} are not "
            "there; name the folders with --videos-train and --videos-val."
        )
    return folders


def main(argv: Sequence[str] | None = None) -> int:
    """Run the preparation; returns the exit code."""
    args = parse_args(argv)
    folders = video_folders(args)
    if args.underscore_folders:
        renamed = sum(
            underscore_class_folders(folder) for folder in dict.fromkeys(folders.values())
        )
        print(f"class folders renamed: {renamed}")
    lists = read_lists(args.annotations or args.root / "annotations", folders)
    report = prepare(lists, args.root, settings_from(args))
    first = next(iter(folders))
    config = args.root / f"slic_r3d_kinetics400_{first}.py"
    # Validation would embed all training videos each time: it is left to the smaller sets.
    write_config(config, CONFIGS, report, f"kinetics400_{first}_list_videos.txt", None)
    print_report(report, config)
    return 0 if any(split.usable for split in report.splits) else 1


if __name__ == "__main__":
    run_tool(main)
