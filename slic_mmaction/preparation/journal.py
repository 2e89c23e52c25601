"""A journal of finished files, from which stopped work continues."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


class Journal:
    """File of JSON lines, to which a line is appended for each finished file.

    A record is valid as long as the file's size and modification time do not change. Later lines
    take precedence. Unreadable lines, such as the last one of a killed run, are ignored.

    Paths are relative to the journal, so that a dataset can be moved together with it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_bytes() if path.exists() else b""
        self._records: dict[str, tuple[list[int], Any]] = {}
        for line in text.split(b"\n"):
            with suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                self._records[entry["file"]] = (entry["state"], entry["record"])
        # The next line must not be appended to an incomplete one.
        self._glue = b"" if not text or text.endswith(b"\n") else b"\n"

    def get(self, file: Path) -> Any | None:
        """Return the record of a file, or None if there is none or the file has changed."""
        state, record = self._records.get(os.path.relpath(file, self.path.parent), (None, None))
        return record if state == fingerprint(file) else None

    def put(self, file: Path, state: list[int], record: Any) -> None:
        """Write the record of a file, any JSON value.

        ``state`` is the file's :func:`fingerprint` before the work on it, so that a file that was
        still being written is processed again.
        """
        key = os.path.relpath(file, self.path.parent)
        self._records[key] = (state, record)
        line = json.dumps({"file": key, "state": state, "record": record}).encode("ascii")
        try:
            with open(self.path, "ab") as journal:
                journal.write(self._glue + line + b"\n")
        except OSError as error:
            said = f"{self.path} cannot be written to: {error.strerror}"
            raise OSError(error.errno, said) from error
        self._glue = b""


def fingerprint(file: Path) -> list[int]:
    """Return a file's size in bytes and modification time in nanoseconds."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]
