"""The table of a collection: a LanceDB table of windows, of which readers see whole states only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow

TABLE = "windows"
NOT_CLUSTERED = -1
_WHOLE = "whole"  # tag of the last version in which every video of the folder was looked at
_PATHS_AT_ONCE = 500


class WindowTable:
    """Rows (path, start, end, size, date, cluster, distance, vector), one for each window.

    Changes become visible to :meth:`read` together, by :meth:`publish`: a run that is killed, or
    has not ended yet, changes nothing that a search sees, and the next run goes on from it.

    Args:
        folder: Of the LanceDB database.

    Raises:
        ImportError: If LanceDB is not installed.
    """

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("LANCE_LOG", "error")
        try:
            import lancedb
        except ImportError as error:
            raise ImportError(
                "A collection of videos needs LanceDB: pip install 'slic-mmaction[collection]'."
            ) from error
        self._folder = folder
        self._database = lancedb.connect(folder)
        self._table: Any = None
        if (folder / f"{TABLE}.lance").is_dir():
            with self._reading():
                self._table = self._database.open_table(TABLE)

    @property
    def is_whole(self) -> bool:
        """Whether there is a version to read."""
        return self._table is not None and _WHOLE in self._table.tags.list()

    @property
    def is_published(self) -> bool:
        """Whether the newest version is the one that is read."""
        return self.is_whole and self._table.tags.get_version(_WHOLE) == self._table.version

    def known(self) -> dict[str, tuple[int, int]]:
        """Size in bytes and date in ns of every video of the newest version, by path."""
        if self._table is None:
            return {}
        columns = ["path", "size", "date"]
        with self._reading():
            rows = self._table.search().select(columns).to_arrow().group_by(columns).aggregate([])
        dates = rows["date"].cast("int64").to_pylist()
        return dict(zip(rows["path"].to_pylist(), zip(rows["size"].to_pylist(), dates)))

    def remove(self, paths: Iterable[str]) -> None:
        """Remove all windows of some videos from the newest version."""
        quoted = ["'" + path.replace("'", "''") + "'" for path in paths]
        for start in range(0, len(quoted), _PATHS_AT_ONCE):
            self._table.delete(f"path IN ({', '.join(quoted[start : start + _PATHS_AT_ONCE])})")

    def add(
        self,
        path: list[str],
        start: list[float],
        end: list[float],
        size: list[int],
        date: list[int],
        vector: np.ndarray,
    ) -> None:
        """Add windows to the newest version: sizes in bytes, dates in ns, vectors (N, D)."""
        import pyarrow as pa

        values = pa.array(np.ascontiguousarray(vector, np.float32).ravel())
        rows = pa.table(
            dict(
                path=path,
                start=pa.array(start, pa.float64()),
                end=pa.array(end, pa.float64()),
                size=pa.array(size, pa.int64()),
                date=pa.array(date, pa.int64()).cast(pa.timestamp("ns")),
                cluster=pa.array([NOT_CLUSTERED] * len(path), pa.int64()),
                distance=pa.nulls(len(path), pa.float32()),
                vector=pa.FixedSizeListArray.from_arrays(values, vector.shape[1]),
            )
        )
        if self._table is None:
            self._table = self._database.create_table(TABLE, rows)
        else:
            self._table.add(rows)

    def write_clusters(
        self, rows: pyarrow.Table, cluster: np.ndarray, distance: np.ndarray
    ) -> None:
        """Publish rows of :meth:`read` with clusters (N,) and distances (N,) to their means."""
        import pyarrow as pa

        columns: Mapping[str, Any] = dict(
            cluster=pa.array(cluster, pa.int64()),
            distance=pa.array(distance, pa.float32(), mask=cluster == NOT_CLUSTERED),
        )
        for name, column in columns.items():
            rows = rows.set_column(rows.column_names.index(name), name, column)
        self._table = self._database.create_table(TABLE, rows, mode="overwrite")
        self.publish()

    def publish(self) -> None:
        """Let readers see the newest version."""
        if self._table is None:
            return
        self._table.optimize(cleanup_older_than=timedelta(days=1))
        tags = self._table.tags
        (tags.update if self.is_whole else tags.create)(_WHOLE, self._table.version)

    def read(self) -> pyarrow.Table:
        """The published rows, by path and start."""
        with self._reading():
            table = self._database.open_table(TABLE)
            table.checkout(_WHOLE)
            rows = table.to_arrow()
        return rows.sort_by([("path", "ascending"), ("start", "ascending")])

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"The index {self._folder} cannot be read. If its files are damaged, delete it and "
                f"make it anew ({error})."
            ) from error
