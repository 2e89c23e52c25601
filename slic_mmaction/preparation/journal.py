"""What has been done to which file, so that stopped work goes on where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO


class Journal:
    """JSON lines, one for each finished file, appended as the work goes on.

    A record holds as long as the file's size and time of change do. Later lines take
    precedence. A line that cannot be read, such as the last one of a run that was killed
    while it wrote, counts as not written.

    Args:
        path (Path): The journal; its folder is made. Files are named relative to it, so a
            data set can be moved together with its journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records: dict[str, tuple[list[int], Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = open(path, "ab+")  # noqa: SIM115 (closed by __exit__)
        self._load()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def get(self, file: Path) -> Any | None:
        """Record of a file, or None if there is none or the file has changed since."""
        state, record = self._records.get(self._key(file), (None, None))
        return record if state == fingerprint(file) else None

    def put(self, file: Path, state: list[int], record: Any) -> None:
        """Add the record of a file; it is on its way to the disk when this returns.

        Args:
            file (Path): The file.
            state (list[int]): Its :func:`fingerprint` from before the work on it: a file
                that was still being written is then worked on again.
            record (Any): Anything that JSON can hold.
        """
        key = self._key(file)
        self._records[key] = (state, record)
        line = json.dumps({"file": key, "state": state, "record": record})
        self._file.write(line.encode("ascii") + b"\n")
        self._file.flush()

    def _key(self, file: Path) -> str:
        return os.path.relpath(file, self.path.parent)

    def _load(self) -> None:
        self._file.seek(0)
        text = self._file.read()
        for line in text.split(b"\n"):
            try:
                entry = json.loads(line)
                self._records[entry["file"]] = (entry["state"], entry["record"])
            except (ValueError, KeyError, TypeError):
                continue
        if text and not text.endswith(b"\n"):
            # What comes next must not be glued to the torn line.
            self._file.write(b"\n")


def fingerprint(file: Path) -> list[int]:
    """Size in bytes and time of change in nanoseconds: what tells that a file is the same."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]
