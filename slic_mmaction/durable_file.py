"""Files that survive a kill, a full disk and a power cut: the old one or the new one, whole."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

_HOST = socket.gethostname().replace(".", "-")
_counter = itertools.count()


@contextmanager
def durable_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name only when all of it is on the disk.

    Until then it is called ``.NAME.HOST.PID.N.part``, so that several programs may write the same
    name: the last one wins, and each file is whole. What a killed process leaves behind is
    removed by the next process on that host which writes into the folder.

    Args:
        path: Where to; folders are made.

    Yields:
        A file in the same folder, removed if writing fails.

    Raises:
        OSError: If it cannot be written, with the path and, if the disk is full, the room that is
            left; what had the name before is intact.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(path.parent)
    part = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.{next(_counter)}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            # Without this a power cut may leave the new name on an empty file.
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        # torch.save answers a failed write with an error about positions in its archive.
        failure = error if isinstance(error, OSError) else error.__context__
        if not isinstance(failure, OSError):
            raise
        raise OSError(
            failure.errno,
            f"{path} was not written ({_reason(failure, path.parent)}); what had that name before "
            "is intact",
        ) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@cache
def _remove_orphans(folder: Path) -> None:
    """Remove what processes left that were killed while writing; once in a process and folder."""
    for part in folder.glob(f".*.{_HOST}.*.part"):
        process = part.name.split(".")[-3]
        if process.isdecimal() and not is_running(int(process)):
            part.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether there is a process of that number on this machine."""
    try:
        os.kill(process, 0)
    except OSError as error:
        return error.errno == errno.EPERM  # another user's
    return True


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all; line ends are written as they are."""
    with durable_file(path) as file:
        file.write(text.encode())


def _reason(error: OSError, folder: Path) -> str:
    reason = error.strerror or str(error)
    # NumPy's error of a short write has no number.
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, None):
        return reason
    return f"{reason}, {shutil.disk_usage(folder).free:,} bytes are free in {folder}"


def _sync_folder(folder: Path) -> None:
    """Put the new name itself on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
