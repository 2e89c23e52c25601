"""A table of results as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .columns import Column
from .table import MEAN_OF_SPLITS, Cell, Row

NOTE = (
    "Mean ± sample standard deviation over seeds, with their number in brackets. Numbers of "
    "different columns are of different protocols: do not compare them."
)


def to_markdown(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """One table of means, one of the runs behind it.

    Args:
        rows (Sequence[Row]): Rows.
        columns (Sequence[Column]): Columns, in order.
    """
    head = ["method", "epoch", "data", "split", "videos", *map(str, columns)]
    lines = [
        [
            " → ".join(row.method),
            _or_dash(row.epoch),
            row.data,
            row.split,
            _or_dash(row.videos),
            *(_number(row.cells.get(column)) for column in columns),
        ]
        for row in rows
    ]
    runs = [line for row in rows if row.split != MEAN_OF_SPLITS for line in _runs_of(row, columns)]
    run_head = ["method", "split", "protocol", "values", "seeds", "config", "commit", "folder"]
    return f"{_table(head, lines)}\n{NOTE}\n\n## Runs\n\n{_table(run_head, runs)}"


def to_json(rows: Sequence[Row], columns: Sequence[Column]) -> dict[str, Any]:
    """Everything in the Markdown, and all values.

    Args:
        rows (Sequence[Row]): Rows.
        columns (Sequence[Column]): Columns, in order.
    """
    return dict(
        columns=[dict(protocol=column.protocol, metric=column.metric) for column in columns],
        rows=[
            dict(
                method=row.method,
                config_hashes=row.hashes,
                epoch=row.epoch,
                data=row.data,
                split=row.split,
                videos=row.videos,
                commits=row.commits,
                cells={
                    str(column): dict(
                        mean=cell.mean,
                        spread=cell.spread,
                        seeds=[list(seeds) for seeds in cell.values],
                        values=list(cell.values.values()),
                    )
                    for column, cell in row.cells.items()
                },
                runs=[asdict(result) for result in row.results],
            )
            for row in rows
        ],
    )


def _runs_of(row: Row, columns: Sequence[Column]) -> list[list[str]]:
    """A line for each run and protocol of a row."""
    lines = []
    runs = dict.fromkeys((result.folder, result.protocol, result.seeds) for result in row.results)
    for run in runs:
        of_run = [r for r in row.results if (r.folder, r.protocol, r.seeds) == run]
        of_run.sort(key=lambda r: columns.index(Column(r.protocol, r.metric)))
        first = of_run[0]
        lines.append(
            [
                " → ".join(first.method),
                first.split,
                first.protocol,
                ", ".join(f"{r.metric} {r.value:.4g}" for r in of_run),
                _seeds(first.seeds),
                " → ".join(first.hashes) or "-",
                ", ".join(first.commits),
                first.folder,
            ]
        )
    return lines


def _number(cell: Cell | None) -> str:
    if cell is None:
        return ""
    spread = "" if cell.spread is None else f" ± {cell.spread:.2g}"
    return f"{cell.mean:.4g}{spread} ({len(cell.values)})"


def _seeds(seeds: Sequence[int | None]) -> str:
    return ", ".join(_or_dash(seed) for seed in seeds)


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *lines]
    # A bar would end a cell.
    rows = ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in cells]
    return "\n".join(rows) + "\n"
