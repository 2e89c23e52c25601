"""The summary of a preparation, and the command line for UCF101 and HMDB51."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .annotations import BASE_CONFIG, STOCK_DELIMITER, write_config
from .archives import find_archives, unpack_all
from .lists import VideoLists
from .options import add_probe_options, settings_from
from .prepare import JOURNAL, Report, prepare
from .video_files import count_others, printable

SHOWN = 20  # more lines of one kind stay in the files


ReadLists = Callable[[Path, Path], VideoLists]


def prepare_three_splits(
    name: str, read_lists: ReadLists, configs: Path, description: str, argv: Sequence[str] | None
) -> int:
    """Unpack, probe and list a dataset of archives with three official splits.

    ``read_lists`` reads the official lists from the folders of annotations and videos.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--root", type=Path, default=Path("data", name), help="folder of the dataset")
    add("--archives", type=Path, nargs="+", help="what was downloaded: archives, or their folder")
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
    base = configs / BASE_CONFIG
    stock = (args.root, videos) == (Path("data/ucf101"), Path("data/ucf101/videos"))
    if stock and report.delimiter == STOCK_DELIMITER:
        return conclude(report, Path("configs", BASE_CONFIG), base, None, None)
    train, val = (f"{name}_{part}_split_1_videos.txt" for part in ("train", "val"))
    return conclude(report, args.root / f"slic_r3d_{name}.py", base, train, val)


def conclude(report: Report, config: Path, base: Path, train: str | None, val: str | None) -> int:
    """Write a config for prepared files, and print a summary and the next command.

    Args:
        report: Result of the preparation.
        config: Path of the config that trains on the files.
        base: Path of the config that it changes.
        train: Name of the annotation file for training; None if the config exists already.
        val: Name of the annotation file for validation; None to train without validation.

    Returns:
        Exit code 0, or 1 if no video is usable or some must be tried again.
    """
    written = True
    if train:
        gallery = dataset_text(report, train)
        lines = [f"train_dataloader = dict(dataset=dict(dataset={gallery}))"]
        if val:
            query = dataset_text(report, val)
            lines.append(f"val_dataloader = dict(dataset=dict(query={query}, gallery={gallery}))")
        else:
            lines += ["val_dataloader = None", "val_evaluator = None", "val_cfg = None"]
        written = write_config(config, base, lines)
    show_report(report)
    if not written:
        say(f"WARNING {config} was edited and stays as it is; delete it to have it written again.")
    if report.delimiter != STOCK_DELIMITER:
        say(f"Some names hold spaces, so path and label are separated by {report.delimiter!r}: a "
            f"config of your own needs dict(type='VideoDataset', delimiter={report.delimiter!r}, "
            "...) for these files.")  # fmt: skip
    if report.passing:
        say(f"{report.passing} videos could not be checked; the same command tries them again.")
    if not report.usable:
        say("No video is usable.")
        return 1
    say(f"next: python tools/train.py {shlex.quote(str(config))}")
    return 1 if report.passing else 0


def say(*lines: object) -> None:
    """Print without colours and line breaks."""
    Console(highlight=False, markup=False, soft_wrap=True).print(*lines)


def show_report(report: Report) -> None:
    """Print the result of a preparation."""
    counts = Counter(entry.class_name for entry in report.missing)
    faults = sorted(f"{printable(path)}: {why}" for path, why in report.faults.items())
    list_lines("WARNING", report.warnings)
    say(f"videos found: {report.found} (probed now: {report.probed}), usable: {report.usable}, "
        f"missing: {len(report.missing)}, quarantined: {len(faults)}, in no list: "
        f"{len(report.extra)}")  # fmt: skip
    if report.others:
        say(f"skipped: {count_others(report.others)}")
    say(_table(report))
    list_lines("missing by class:", (f"{name} {count}" for name, count in counts.most_common()))
    list_lines("quarantined:", faults)
    list_lines("usable, but of one colour throughout (black?):", map(printable, report.flat))
    files = ("missing.txt", "extra.txt", "quarantine.csv", JOURNAL)
    lists = (made.split.file_name for made in report.splits)
    list_lines("written:", (report.out / file for file in (*lists, *files)))


def dataset_text(report: Report, file_name: str) -> str:
    """Format a ``VideoDataset`` for a config, with the paths as given."""
    splits = {made.split.file_name: made.split for made in report.splits}
    ann_file, videos = str(report.out / file_name), str(splits[file_name].videos)
    other = "" if report.delimiter == STOCK_DELIMITER else f", delimiter={report.delimiter!r}"
    return f"dict(ann_file={ann_file!r}, data_prefix=dict(video={videos!r}){other})"


def _table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("split", no_wrap=True)
    for title in ("official", "listed", "usable", "missing", "broken"):
        table.add_column(title, justify="right", no_wrap=True)
    for split, *numbers in report.splits:
        counts = (split.official_count or "-", len(split.entries), *numbers)
        table.add_row(Path(split.file_name).stem, *map(str, counts))
    return table


def list_lines(title: str, lines: Iterable[object]) -> None:
    """Print a title and the first lines below it; nothing if there are none."""
    texts = list(map(str, lines))
    if texts:
        more = [f"and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
        say("\n  ".join([title, *texts[:SHOWN], *more]))
