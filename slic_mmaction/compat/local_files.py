"""Atomic writing of mmengine's local files.

mmengine 0.10.7 saves a checkpoint by ``LocalBackend.put``, which overwrites the file: a kill or a
full disk leaves an incomplete checkpoint instead of the old one. The replacement writes another
file and renames it.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend
from mmengine.fileio.backends.registry_utils import prefix_to_backends

from ..durable_file import durable_file


class DurableLocalBackend(LocalBackend):
    """mmengine's backend for local files, with atomic writing."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; see :func:`slic_mmaction.durable_file.durable_file`."""
        with durable_file(filepath) as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Write text; see :func:`slic_mmaction.durable_file.durable_file`."""
        self.put(obj.encode(encoding), filepath)


def repair_local_files() -> bool:
    """Make mmengine write local files by :class:`DurableLocalBackend`.

    The repair is skipped if mmengine's backend renames files, or if another backend is registered
    for local files.
    """
    if prefix_to_backends[""] is not LocalBackend:
        return False
    if "replace(" in inspect.getsource(LocalBackend.put):
        return False
    register_backend("local", DurableLocalBackend, force=True, prefixes="")
    return True
