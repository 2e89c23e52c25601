"""Cache of the footage of videos beside the index, so that each video is decoded once."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from ..decoding import UnreadableVideoError
from ..preparation.workers import Failure, run_isolated
from ..progress import progress_bar
from .footage import SIDE, Footage, read_footage
from .store import PathTable, file_state

_TIMEOUT = 3600.0  # seconds for one video
_FEW = 8  # videos
_SECONDS_BETWEEN_WRITES = 20.0
TABLE = "footage_1"  # with the version of the format

State = tuple[int, int]
"""Size in bytes and date in ns of a file."""


class FootageTable(PathTable):
    """LanceDB table of rows (path, size, date, ...), one for each video with known footage.

    Args:
        folder: Folder of the index. If it is read-only, nothing is stored.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, TABLE)
        self._writable = os.access(folder, os.W_OK)

    def read(self, paths: Sequence[str], states: Mapping[str, State]) -> dict[str, Footage]:
        """Return the footage of all unchanged videos, and remove rows of changed and other videos.

        Rows of videos without a state, which cannot be reached now, are kept.
        """
        known, wanted = self.known(), set(paths)
        old = [n for n, state in known.items() if n not in wanted or states.get(n, state) != state]
        if old and self._writable:
            self.remove(old)
            self.compact()
        found: dict[str, Footage] = {}
        if self._table is None:
            return found
        with self._reading():
            rows = self._table.to_arrow()
        about = rows.drop_columns("views").to_pylist()
        for row, views in zip(about, rows["views"]):
            pictures = np.frombuffer(views.as_buffer(), np.float16)
            if states.get(row["path"]) == known[row["path"]]:
                found[row["path"]] = Footage(
                    list(pictures.reshape(row["count"], -1, SIDE, SIDE)),
                    *(row[name] for name in Footage._fields[1:]),
                )
        return found

    def add(self, footage: Mapping[str, Footage], states: Mapping[str, State]) -> None:
        """Store the footage of videos."""
        import pyarrow as pa

        names = [name for name in footage if name in states]
        if not names or not self._writable:
            return
        size, date = zip(*(states[name] for name in names))
        own = [footage[name] for name in names]
        rows = dict(
            path=names,
            size=pa.array(size, pa.int64()),
            date=pa.array(date, pa.int64()).cast(pa.timestamp("ns")),
            count=[len(each.views) for each in own],
            views=pa.array([np.stack(each.views).tobytes() for each in own], pa.large_binary()),
        )
        for name in Footage._fields[1:]:
            rows[name] = [getattr(each, name) for each in own]
        self.append(pa.table(rows))


def read_all(
    folder: Path, paths: Sequence[str], num_workers: int, table: FootageTable
) -> tuple[dict[str, Footage], dict[str, str]]:
    """Read the footage of videos and the reasons of failures; decode what the table lacks."""
    states: dict[str, State] = {}
    for path in paths:
        with suppress(OSError):  # reading the video reports it
            states[path] = file_state(folder / path)
    footage = table.read(paths, states)
    todo = [path for path in paths if path not in footage]
    unreadable: dict[str, str] = {}
    new: dict[str, Footage] = {}
    written = time.monotonic()
    read = partial(_read, folder)
    # A few are done before worker processes have started.
    few = num_workers == 0 or len(todo) < _FEW
    done = map(lambda path: (path, read(path)), todo) if few else None
    try:
        with progress_bar("decoding videos", len(todo)) as advance:
            for path, result in done or run_isolated(read, todo, num_workers, _TIMEOUT):
                if isinstance(result, Failure):
                    unreadable[path] = result.reason
                else:
                    footage[path] = new[path] = result
                if time.monotonic() - written >= _SECONDS_BETWEEN_WRITES:
                    table.add(new, states)
                    new, written = {}, time.monotonic()
                advance()
    finally:
        table.add(new, states)
    return footage, unreadable


def _read(folder: Path, path: str) -> Footage | Failure:
    try:
        return read_footage(str(folder / path))
    except (UnreadableVideoError, OSError) as error:
        return Failure(str(error))
