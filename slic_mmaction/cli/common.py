"""Helpers of several commands: printing, parsing durations, opening an index."""

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

Index = Annotated[Path, typer.Option("--in", help="Folder of the index, from `slic index`.")]
_FOLDED = 24  # characters; wider columns of a table may be wrapped
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """Convert a duration such as ``4s``, ``1.5``, ``250ms``, ``30m`` or ``2h`` to seconds."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        value = float(number) * _UNITS[text[len(number) :] or "s"]
    except (ValueError, KeyError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{text!r} is not a duration: write 4s, 250ms, 30m or 2h.")
    return value


def open_collection(path: Path) -> Collection:
    """Open the index in a folder."""
    from ..collection import Collection

    return Collection(path)


def register_components() -> None:
    """Import torch, MMAction2 and all components, which takes seconds."""
    from .. import register

    register()


def shown(text: str) -> str:
    """Escape line ends and control characters of a text, to print it on one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(path: Path) -> str:
    """Quote a path for a shell command."""
    return shlex.quote(str(path))


def say(text: str) -> None:
    """Print a line; bytes of names that are not UTF-8 are escaped."""
    print(text.encode(errors="backslashreplace").decode(), flush=True)


def say_next(*commands: str) -> None:
    """Print commands to run next."""
    say("next: " + "\n      ".join(commands))


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """Format rows as CSV with a header; bytes of names that are not UTF-8 become ``\\xNN``.

    ``columns`` is the header if there are no rows.
    """
    from ..preparation.video_files import printable

    text = io.StringIO()
    # By default, Python 3.11 does not quote a carriage return.
    returns = any("\r" in str(value) for row in rows for value in row.values())
    writer = csv.DictWriter(
        text,
        list(rows[0]) if rows else columns,
        lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL,
    )
    writer.writeheader()
    writer.writerows(rows)
    return printable(text.getvalue())


def print_table(title: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Print a table, or a paragraph for each row if the terminal is too narrow for columns."""
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
