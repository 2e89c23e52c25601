"""What a program and its children use, from Linux's ``/proc``: memory, open files, segments."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")
SHARED = Path("/dev/shm")


class Usage(NamedTuple):
    """Of one process.

    Attributes:
        rss: Bytes in memory, shared ones included.
        files: Open file descriptors.
        segments: Shared-memory segments in its address space, unlinked ones included.
    """

    rss: int
    files: int
    segments: int


def descendants(root: int) -> list[int]:
    """Ids of a process and of all its children's children that run."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _read(entry / "stat").rpartition(")")[2].split()
            if fields and fields[0] != "Z":
                children[int(fields[1])].append(int(entry.name))
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        todo += children[found[-1]]
    return found


def usage(pid: int) -> Usage | None:
    """What a process uses; None if it has ended."""
    try:
        rss = int(_read(Path(f"/proc/{pid}/statm")).split()[1]) * PAGE
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except (IndexError, FileNotFoundError, ProcessLookupError):
        return None
    mapped = _read(Path(f"/proc/{pid}/maps")).splitlines()
    return Usage(rss, files, len({line.split()[4] for line in mapped if str(SHARED) in line}))


def segments_left() -> list[str]:
    """Names in ``/dev/shm``."""
    return sorted(os.listdir(SHARED))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
