"""Local files that mmengine writes in place.

mmengine 0.10.7 saves a checkpoint by ``LocalBackend.put``, which opens the file under its own
name: a process killed there, or a full disk, leaves half a checkpoint instead of a whole
one. Its replacement writes beside it and renames.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend
from mmengine.fileio.backends.registry_utils import prefix_to_backends

from ..durable_file import durable_file


class DurableLocalBackend(LocalBackend):
    """mmengine's backend for local files, whose files appear whole or not at all."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; see :func:`slic_mmaction.durable_file.durable_file`."""
        with durable_file(filepath) as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Write text; see :func:`slic_mmaction.durable_file.durable_file`."""
        self.put(obj.encode(encoding), filepath)


def repair_local_files() -> bool:
    """Let mmengine write local files by :class:`DurableLocalBackend`.

    Left alone: an mmengine whose backend renames, and a backend that somebody else has
    registered for local files.
    """
    if prefix_to_backends[""] is not LocalBackend:
        return False
    if "replace(" in inspect.getsource(LocalBackend.put):
        return False
    register_backend("local", DurableLocalBackend, force=True, prefixes="")
    return True
