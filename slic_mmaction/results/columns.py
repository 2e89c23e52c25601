"""The columns of a table of results: one protocol and one metric each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .run import Result


class Column(NamedTuple):
    """Numbers that may stand below each other.

    Attributes:
        protocol: Kind and protocol, ``'retrieval/iic'``.
        metric: Name of the number, ``'R@1'``.
    """

    protocol: str
    metric: str

    def __str__(self) -> str:
        return f"{self.protocol}/{self.metric}"


def choose_columns(results: Iterable[Result], wanted: Sequence[str] = ()) -> list[Column]:
    """Columns of a table; different protocols never share one.

    Args:
        results (Iterable[Result]): What was read.
        wanted (Sequence[str]): Metrics (``R@1``) or columns (``retrieval/iic/R@1``), all if
            empty.

    Raises:
        ValueError: If one of ``wanted`` was never measured, or under several protocols.
    """
    known = sorted({Column(r.protocol, r.metric) for r in results}, key=_order)
    if not wanted:
        return known
    chosen = []
    for name in wanted:
        found = [column for column in known if name in (column.metric, str(column))]
        if not found:
            raise ValueError(
                f"No run has {name}; there are {', '.join(map(str, known)) or 'no results'}."
            )
        if len(found) > 1:
            raise ValueError(
                f"{name} was measured under {len(found)} protocols, and their numbers must not "
                f"be compared: choose one of {', '.join(map(str, found))}."
            )
        chosen.append(found[0])
    return list(dict.fromkeys(chosen))


def _order(column: Column) -> tuple:
    """R@5 before R@10."""
    parts = re.split(r"(\d+)", column.metric)
    return column.protocol, [int(part) if part.isdigit() else part for part in parts]
