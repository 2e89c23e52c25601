"""The command line of data sets that come as archives with three official splits."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from .annotations import STOCK_DELIMITER
from .archives import find_archives, unpack_all
from .lists import VideoLists
from .options import add_probe_options, settings_from
from .prepare import prepare
from .ready_config import BASE, write_config
from .summary import print_report


def prepare_three_splits(
    name: str,
    read_lists: Callable[[Path, Path], VideoLists],
    configs: Path,
    description: str,
    argv: Sequence[str] | None,
) -> int:
    """Unpack, probe and list UCF101 or HMDB51.

    Args:
        name (str): ``ucf101`` or ``hmdb51``, as in the names of the files.
        read_lists (Callable): Reads the official lists from the folders of annotations and
            of videos.
        configs (Path): The folder ``configs`` of this project.
        description (str): Help text.
        argv (Sequence[str] | None): The arguments; None for those of the process.

    Returns:
        int: Exit code: 0, or 1 if no video is usable.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--root", type=Path, default=Path("data", name), help="folder of the data set")
    add("--archives", type=Path, nargs="+", help="what was downloaded: .rar, .zip, or their folder")
    add("--videos", type=Path, help="folder of the videos (default: ROOT/videos)")
    add("--annotations", type=Path, help="folder of the split files (default: ROOT/annotations)")
    add_probe_options(parser)
    args = parser.parse_args(argv)
    videos = args.videos or args.root / "videos"
    annotations = args.annotations or args.root / "annotations"
    if args.archives:
        archives = find_archives(args.archives)
        unpacked = unpack_all(archives, args.root, videos, annotations)
        print(f"archives: {len(archives)}, unpacked now: {unpacked}")

    report = prepare(read_lists(annotations, videos), args.root, settings_from(args))
    stock = (args.root, videos) == (Path("data/ucf101"), Path("data/ucf101/videos"))
    config = Path("configs", BASE)
    if not stock or report.delimiter != STOCK_DELIMITER:
        config = args.root / f"slic_r3d_{name}.py"
        train, val = (f"{name}_{part}_split_1_videos.txt" for part in ("train", "val"))
        write_config(config, configs, report, train, val)
    print_report(report, config)
    return 0 if any(split.usable for split in report.splits) else 1
