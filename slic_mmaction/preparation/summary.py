"""What a preparation says at its end."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .annotations import STOCK_DELIMITER
from .prepare import JOURNAL
from .report import Report
from .video_files import printable

# More than so many lines of one kind stay in the files.
SHOWN = 20


def print_report(report: Report, config: Path) -> None:
    """Print what was found, what is missing, what was written and what comes next.

    Args:
        report (Report): The result of the preparation.
        config (Path): Config that trains on the files.
    """
    console = Console(highlight=False, markup=False, soft_wrap=True)
    say = console.print
    for warning in report.warnings:
        say(f"WARNING {warning}")
    say(
        f"videos found: {report.found} (probed now: {report.probed}), usable: {report.usable}, "
        f"missing: {len(report.missing)}, quarantined: {len(report.faults)}, "
        f"in no list: {len(report.extra)}"
    )
    say(_table(report))

    if report.missing:
        say("missing by class:")
        _print_counts(console, Counter(entry.class_name for entry in report.missing))
    if report.faults:
        say("quarantined:")
        lines = sorted(f"  {printable(path)}: {why}" for path, why in report.faults.items())
        say("\n".join(lines[:SHOWN]))
        _print_rest(console, len(lines))
    say("written:")
    for path in [split.annotations for split in report.splits]:
        say(f"  {path}")
    for name, what in (
        ("missing.txt", "listed videos without a file"),
        ("extra.txt", "files that no list names"),
        ("quarantine.csv", "files left out, and why"),
        (config.name, "config to train on these files"),
        (JOURNAL, "what is known of each file: a second run probes only what is new"),
    ):
        if (report.out / name).is_file():
            say(f"  {report.out / name}  ({what})")
    if report.delimiter != STOCK_DELIMITER:
        say(
            f"Some names hold spaces, so path and label are separated by {report.delimiter!r}: a "
            f"config of your own needs dict(type='VideoDataset', delimiter={report.delimiter!r}, "
            "...) wherever it names these files."
        )
    say(f"next: python tools/train.py {shlex.quote(str(config))}")


def _table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("split", no_wrap=True)
    for title in ("official", "listed", "usable", "missing", "broken"):
        table.add_column(title, justify="right", no_wrap=True)
    for split in report.splits:
        official = split.split.official_count
        numbers = (len(split.split.entries), split.usable, split.missing, split.broken)
        name = Path(split.split.file_name).stem
        table.add_row(name, "-" if official is None else str(official), *map(str, numbers))
    return table


def _print_counts(console: Console, counts: Counter[str]) -> None:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    console.print("  " + ", ".join(f"{name} {count}" for name, count in ranked[:SHOWN]))
    _print_rest(console, len(ranked))


def _print_rest(console: Console, total: int) -> None:
    if total > SHOWN:
        console.print(f"  and {total - SHOWN} more")
