"""What has been done to which file, so that stopped work goes on where it was."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


class Journal:
    """JSON lines, one for each finished file, appended as the work goes on.

    A record holds as long as the file's size and time of change do. Later lines take precedence.
    A line that cannot be read, such as the last one of a run that was killed while it wrote,
    counts as not written.

    Files are named relative to the journal, so a data set can be moved together with it.
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
        # What comes next must not be glued to a torn line.
        self._glue = b"" if not text or text.endswith(b"\n") else b"\n"

    def get(self, file: Path) -> Any | None:
        """Record of a file, or None if there is none or the file has changed since."""
        state, record = self._records.get(os.path.relpath(file, self.path.parent), (None, None))
        return record if state == fingerprint(file) else None

    def put(self, file: Path, state: list[int], record: Any) -> None:
        """Add the record of a file, which may be anything that JSON holds; it is written at once.

        ``state`` is the file's :func:`fingerprint` from before the work on it: a file that was
        still being written is then worked on again.
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
    """Size in bytes and time of change in nanoseconds: what tells that a file is the same."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]
