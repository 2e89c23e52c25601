"""Atomic file writing: after a kill, a full disk or a power cut, the old or the new file exists."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

_HOST = socket.gethostname().replace(".", "-")
_counter = itertools.count()


@contextmanager
def durable_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that gets its name only when all of it is on the disk.

    Until then its name is ``.NAME.HOST.PID.N.part``. Several programs may write the same name:
    the last one wins, and every file is complete. The next process on the same host that writes
    into the folder removes the remains of a killed process.

    Args:
        path: Path of the file. Missing folders are created.

    Yields:
        A file in the same folder, which is removed if writing fails.

    Raises:
        OSError: If the file cannot be written. The message has the path and, if the disk is full,
            its free space. A previous file of that name is intact.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    if path.exists() and not (path.is_file() or path.is_dir()):  # a device or a pipe
        with open(path, "wb") as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(path.parent)
    part = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.{next(_counter)}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            # Without this, a power cut may leave an empty file under the new name.
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        # torch.save reports a failed write as an error about positions in its archive.
        failure = error if isinstance(error, OSError) else error.__context__
        if not isinstance(failure, OSError):
            raise
        raise OSError(
            failure.errno,
            f"{path} was not written ({_reason(failure, path.parent)}); a previous file of that "
            "name is intact",
        ) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@cache
def _remove_orphans(folder: Path) -> None:
    """Remove the files of processes killed while writing, once per process and folder."""
    for part in folder.glob(f".*.{_HOST}.*.part"):
        process = part.name.split(".")[-3]
        if process.isdecimal() and not is_running(int(process)):
            part.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Return whether a process with this number exists on this machine."""
    try:
        os.kill(process, 0)
    except OSError as error:
        return error.errno == errno.EPERM  # another user's
    return True


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file atomically, with its line ends unchanged."""
    with durable_file(path) as file:
        file.write(text.encode())


def _reason(error: OSError, folder: Path) -> str:
    reason = error.strerror or str(error)
    # NumPy's error for an incomplete write has no errno.
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, None):
        return reason
    return f"{reason}, {shutil.disk_usage(folder).free:,} bytes are free in {folder}"


def _sync_folder(folder: Path) -> None:
    """Write the folder's entry of the new name to the disk, on file systems that can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
