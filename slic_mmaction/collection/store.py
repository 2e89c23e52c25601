"""LanceDB tables of a collection. Readers see complete states only."""

from __future__ import annotations

import os
import weakref
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
_WHOLE = "whole"  # tag of the last published version, which has every video of the folder
_PATHS_AT_ONCE = 500


def file_state(path: Path) -> tuple[int, int]:
    """Return the size in bytes and date in ns of a file; LanceDB's dates are from 1677 to 2262."""
    status = os.stat(path)
    return status.st_size, min(max(status.st_mtime_ns, -(2**63) + 1), 2**63 - 1)


class PathTable:
    """LanceDB table with the columns path, size and date (ns) of a video's file, and others.

    Args:
        folder: Folder of the LanceDB database.
        name: Name of the table.

    Raises:
        ImportError: If LanceDB is not installed.
    """

    def __init__(self, folder: Path, name: str) -> None:
        os.environ.setdefault("LANCE_LOG", "error")
        try:
            import lancedb
        except ImportError as error:
            raise ImportError(
                "A collection of videos needs LanceDB: pip install 'slic-mmaction[collection]'."
            ) from error
        self._folder, self._name = folder, name
        # LanceDB writes tags to another folder if a name in the path is not plain ASCII.
        folder.mkdir(parents=True, exist_ok=True)
        opened = os.open(folder, os.O_RDONLY)
        weakref.finalize(self, os.close, opened)
        self._database = lancedb.connect(f"/proc/self/fd/{opened}")
        self._table: Any = None
        if (folder / f"{name}.lance").is_dir():
            with self._reading():
                self._table = self._database.open_table(name)

    def known(self) -> dict[str, tuple[int, int]]:
        """Return the size in bytes and date in ns of every video of the newest version, by path."""
        if self._table is None:
            return {}
        columns = ["path", "size", "date"]
        with self._reading():
            rows = self._table.search().select(columns).to_arrow().group_by(columns).aggregate([])
        dates = rows["date"].cast("int64").to_pylist()
        return dict(zip(rows["path"].to_pylist(), zip(rows["size"].to_pylist(), dates)))

    def remove(self, paths: Iterable[str]) -> None:
        """Remove all rows of some videos from the newest version."""
        quoted = ["'" + path.replace("'", "''") + "'" for path in paths]
        for start in range(0, len(quoted), _PATHS_AT_ONCE):
            self._table.delete(f"path IN ({', '.join(quoted[start : start + _PATHS_AT_ONCE])})")

    def append(self, rows: pyarrow.Table) -> None:
        """Add rows to the newest version."""
        if self._table is None:  # another process may have created it
            self._table = self._database.create_table(self._name, schema=rows.schema, exist_ok=True)
        self._table.add(rows)

    def compact(self) -> None:
        """Merge small files, and remove the files of versions older than a day."""
        self._table.optimize(cleanup_older_than=timedelta(days=1))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"The index {self._folder} cannot be read. If its files are damaged, delete "
                f"{self._name}.lance there and run the command again to rebuild it ({error})."
            ) from error


class WindowTable(PathTable):
    """Table of rows (path, start, end, size, date, cluster, distance, vector), one per window.

    Changes become visible to :meth:`read` together, by :meth:`publish`. A killed or unfinished run
    does not change search results, and the next run continues from it.

    Args:
        folder: Folder of the LanceDB database.

    Raises:
        ImportError: If LanceDB is not installed.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, TABLE)

    @property
    def is_whole(self) -> bool:
        """Whether a version was published."""
        return self._table is not None and _WHOLE in self._table.tags.list()

    @property
    def is_published(self) -> bool:
        """Whether :meth:`read` returns the newest version."""
        return self.is_whole and self._table.tags.get_version(_WHOLE) == self._table.version

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
        self.append(rows)

    def write_clusters(
        self, rows: pyarrow.Table, cluster: np.ndarray, distance: np.ndarray
    ) -> None:
        """Publish the rows of :meth:`read` with clusters (N,) and distances (N,) to their means."""
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
        """Make the newest version visible to readers."""
        if self._table is None:
            return
        self.compact()
        tags = self._table.tags
        (tags.update if self.is_whole else tags.create)(_WHOLE, self._table.version)

    def read(self) -> pyarrow.Table:
        """Return the published rows, sorted by path and start."""
        with self._reading():
            table = self._database.open_table(TABLE)
            table.checkout(_WHOLE)
            rows = table.to_arrow()
        return rows.sort_by([("path", "ascending"), ("start", "ascending")])
