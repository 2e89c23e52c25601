"""Exporting windows and their vectors to files for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..durable_file import durable_file, write_text

if TYPE_CHECKING:
    import pyarrow


def export_windows(rows: pyarrow.Table, vectors: np.ndarray, path: Path) -> list[Path]:
    """Write rows of a :class:`WindowTable` to a file; see :meth:`Collection.export`."""
    if path.suffix == ".parquet":
        import pyarrow.parquet

        with durable_file(path) as file:
            pyarrow.parquet.write_table(rows, file)
        return [path]
    table = rows.drop_columns("vector")
    if path.suffix == ".csv":
        from pyarrow import csv

        with durable_file(path) as file:
            csv.write_csv(table, file)
        return [path]
    if path.suffix != ".npy":
        raise ValueError(f"{path} must end in .parquet, .csv or .npy.")
    with durable_file(path) as file:
        np.save(file, vectors)
    names = path.with_suffix(".txt")
    lines = zip(*(rows[name].to_pylist() for name in ("path", "start", "end")))
    write_text(names, "".join(f"{json.dumps(p)[1:-1]}\t{s:g}\t{e:g}\n" for p, s, e in lines))
    return [path, names]
