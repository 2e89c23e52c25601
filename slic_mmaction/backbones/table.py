"""Rows on disk, and their table in a Markdown page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from ..durable_file import write_text
from .examine import Row

BEGIN = "<!-- backbone table: begin, written by tools/analysis/backbone_table.py -->"
END = "<!-- backbone table: end -->"
_HEAD = (
    "backbone",
    "config",
    "feature width",
    "parameters",
    "clip",
    "forward, CPU",
    "pretraining verified",
    "retrieval verified",
)
_MOST_OF_A_SENTENCE = 160


def read_rows(path: Path) -> list[Row]:
    """Rows of a file of :func:`write_rows`; none if there is no such file."""
    if not path.is_file():
        return []
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON."""
    write_text(path, json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def to_markdown(rows: Sequence[Row]) -> str:
    """The table, and a line that says where its numbers come from.

    Args:
        rows (Sequence[Row]): Rows, in order.
    """
    lines = [_HEAD, ["---", "---", "--:", "--:", "---", "--:", "---", "---"]]
    lines += [_cells(row) for row in rows]
    # A bar would end a cell.
    table = "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )
    sources = sorted({(row.date, row.commit, row.torch, row.machine) for row in rows})
    said = "; ".join(
        f"{date}, commit {commit}, torch {torch}, one thread of {machine}"
        for date, commit, torch, machine in sources
    )
    return f"{table}\n\nMeasured: {said}.\n"


def put_between_markers(text: str, table: str) -> str:
    """A page with its table replaced.

    Args:
        text (str): The page, with the lines :data:`BEGIN` and :data:`END`.
        table (str): What goes between them.

    Raises:
        ValueError: If the page lacks them.
    """
    before, begin, rest = text.partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page has no place for the table: put {BEGIN} and {END} into it.")
    return f"{before}{begin}\n{table}\n{end}{after}"


def _cells(row: Row) -> list[str]:
    cells = [f"`{row.backbone}`", f"[{row.config}](../configs/backbones/{row.config}.py)"]
    if row.missing:
        return [*cells, f"needs {row.missing}", "-", "-", "-", "-", "-"]
    if "figures" in row.problems:
        return [*cells, _failure(row, "figures"), "-", "-", "-", "-", "-"]
    assert row.parameters is not None and row.forward_seconds is not None
    return [
        *cells,
        str(row.width),
        f"{row.parameters / 1e6:.1f} M",
        f"{row.frames} x {row.pixels} px",
        f"{row.forward_seconds:.2f} s",
        "yes" if row.losses else _failure(row, "pretraining"),
        "yes" if row.retrieval else _failure(row, "retrieval"),
    ]


def _failure(row: Row, stage: str) -> str:
    said = row.problems.get(stage)
    if said is None:
        return "-"
    cut = said if len(said) <= _MOST_OF_A_SENTENCE else said[: _MOST_OF_A_SENTENCE - 3] + "..."
    return f"no: {cut}"
