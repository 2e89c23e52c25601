"""What several commands need: printing, durations, opening an index."""

from __future__ import annotations

import csv
import io
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..collection import Collection

Index = Annotated[Path, typer.Option("--in", help="An index made by `slic index`.")]
_FOLDED = 24  # characters, beyond which a table's column may be folded
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """A duration such as ``4s``, ``1.5``, ``250ms``, ``30m`` or ``2h`` in seconds."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        value = float(number) * _UNITS[text[len(number) :] or "s"]
    except (ValueError, KeyError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{text!r} is no duration: write 4s, 250ms, 30m or 2h.")
    return value


def open_collection(path: Path) -> Collection:
    """The collection at a path."""
    from ..collection import Collection

    return Collection(path)


def register_components() -> None:
    """Import torch, MMAction2 and all components, which takes seconds."""
    from .. import register

    register()


def shown(text: str) -> str:
    """Text without line ends and control characters, for one line of a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(path: Path) -> str:
    """A path in a command line."""
    return shlex.quote(str(path))


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


def say_next(*commands: str) -> None:
    """Name the commands that make sense now."""
    say("next: " + "\n      ".join(commands))


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header; bytes of names that are no UTF-8 as ``\\xNN``."""
    from ..preparation.video_files import printable

    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return printable(text.getvalue())


def print_table(title: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Print a table, or a paragraph for each row where a terminal is too narrow for columns."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    width = console.width if console.is_terminal else 200
    cells = [{name: shown(value) for name, value in row.items()} for row in rows]
    widths = {name: max(len(name), *(len(row[name]) for row in cells)) for name in cells[0]}
    if sum(min(each, _FOLDED) + 2 for each in widths.values()) > width:
        paragraphs = [", ".join(f"{n} {v}".strip() for n, v in row.items() if v) for row in cells]
        print("\n\n".join([shown(title), *paragraphs]))
        return
    table = Table(title=Text(shown(title)), box=None, pad_edge=False, title_justify="left")
    for name, each in widths.items():
        table.add_column(name, overflow="fold", no_wrap=each <= _FOLDED)
    for row in cells:
        table.add_row(*map(Text, row.values()))
    Console(width=width).print(table)
