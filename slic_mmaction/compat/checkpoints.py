"""Checkpoint loading without running code from the file, nor from the config inside it.

Since torch 2.6 ``torch.load`` reads plain weights only, and mmengine's checkpoints hold more
(mmengine issue 1655): resume, ``load_from`` and testing all fail. The way around that most
people (and the fork onedl-mmengine 0.10.12) take, ``weights_only=False``, runs whatever program a
stranger put into the file. Here the reading stays ``weights_only=True`` and gains the few
stand-ins of ``safe_pickles``. Older torch is no way out: until 2.5.1 even ``weights_only=True``
could be made to run code (CVE-2025-32434), so the package requires 2.6.

A checkpoint of MMCV 1 has the text of the config in ``meta['config']``. mmengine 0.10.7 hands that
to ``Config.fromstring`` when a run is resumed, to compare the number of GPUs, and a config is a
Python program: it would run, however safely the pickle was read.
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner import checkpoint as upstream
from torch.serialization import safe_globals

from .last_checkpoint import newest_sound
from .safe_pickles import ALLOWED

_mmengine_load_from_local = upstream.load_from_local
_mmengine_load_url = upstream.load_url
_mmengine_load_checkpoint = CheckpointLoader.load_checkpoint
_BLOCK = 1 << 20
_FOLDER = 0x10  # attribute of MS-DOS


def repair_checkpoint_loading() -> bool:
    """Make mmengine read checkpoints from files and addresses safely (mmengine issue 1655).

    Left alone: an mmengine whose loader passes ``weights_only=True`` itself, and a loader that
    somebody else has registered for local files.
    """
    if "weights_only=True" in inspect.getsource(_mmengine_load_from_local):
        return False
    if CheckpointLoader._schemes.get("") is not _mmengine_load_from_local:
        return False
    CheckpointLoader.register_scheme(prefixes="", loader=load_from_local, force=True)
    upstream.load_url = load_url
    if hasattr(upstream, "_safe_torch_load"):
        # Of onedl-mmengine, for its other sources: what is refused it reads again with code.
        upstream._safe_torch_load = _load_without_code
    return True


def load_from_local(filename: str, map_location: Any) -> Any:
    """Load a checkpoint file; code in it is never run.

    Args:
        filename: Path; ``~`` is expanded.
        map_location: As for ``torch.load``.

    Returns:
        The object saved, usually a dict.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or holds something other than tensors, plain values,
            numeric arrays and mmengine's histories.
    """
    filename = os.path.expanduser(filename)
    if not os.path.isfile(filename):
        raise FileNotFoundError(f"The checkpoint {filename} does not exist.")
    with _reading(filename):
        _check_sums(filename)
        return torch.load(filename, map_location=map_location, weights_only=True)


def _load_without_code(file: Any, map_location: Any = None, weights_only: Any = None) -> Any:
    with _reading(str(file)):
        return torch.load(file, map_location=map_location, weights_only=True)


def load_url(url: str, *args: Any, **kwargs: Any) -> Any:
    """Download a checkpoint once and load it like a local one; arguments as ``torch.hub``'s.

    Raises:
        ValueError: See :func:`load_from_local`.
    """
    with _reading(url):
        return _mmengine_load_url(url, *args, **kwargs, weights_only=True)


def repair_checkpoint_content() -> bool:
    """Check the content of every checkpoint that mmengine loads, from wherever.

    Left alone: an mmengine that does not run the config in a checkpoint.
    """
    if "Config.fromstring" not in inspect.getsource(Runner.resume):
        return False
    CheckpointLoader.load_checkpoint = staticmethod(load_checkpoint)
    return True


def load_checkpoint(
    filename: str, map_location: Any = None, logger: Any = "current"
) -> dict[str, Any]:
    """Load a path or address as mmengine does, with its arguments, but no ``meta['config']``.

    Raises:
        ValueError: The checkpoint is no dict.
    """
    checkpoint = _mmengine_load_checkpoint(filename, map_location, logger)
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f"The checkpoint {filename} holds a {type(checkpoint).__name__} where a dict of "
            "weights, or with them under 'state_dict', was expected: give another file."
        )
    meta = checkpoint.get("meta")
    if isinstance(meta, dict):
        meta.pop("config", None)
    return checkpoint


def _check_sums(filename: str) -> None:
    """Compare the check sums, which torch writes and does not look at: a bit that has flipped on
    a disk would be read as another weight. Files older than torch 1.6 have none."""
    if not zipfile.is_zipfile(filename):
        return
    with zipfile.ZipFile(filename) as archive:
        for record in archive.infolist():
            if record.external_attr & _FOLDER:
                # torch would take whatever is in memory for its content.
                raise zipfile.BadZipFile(f"{record.filename} is marked as a folder")
            if record.CRC == 0:  # saved after torch.serialization.set_crc32_options(False)
                continue
            with archive.open(record) as content:
                while content.read(_BLOCK):
                    pass  # compared at the record's end


@contextlib.contextmanager
def _reading(source: str) -> Iterator[None]:
    """Admit the stand-ins while reading, and turn torch's pages of advice into one sentence."""
    try:
        with safe_globals([*ALLOWED]):
            yield
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"The checkpoint {source} was not loaded: {_reason(str(error))}; "
            "save only tensors, numbers, strings and containers of them, or, if you trust where "
            "it comes from, admit that name with torch.serialization.add_safe_globals."
        ) from None
    except Exception as error:  # damage can show anywhere in torch's reader
        # A missing permission or an unreachable address speaks for itself; a jump to a place
        # that is not in the file (EINVAL) is damage.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        local = os.path.isfile(source)
        advice = newest_sound(Path(source).parent, Path(source)) if local else "Fetch it again."
        raise ValueError(
            f"The checkpoint {source} is damaged and was not loaded ({type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'the file ends too early'}). "
            f"{advice}"
        ) from error


def _reason(message: str) -> str:
    """Take from the message of torch's reader the part that says what was refused."""
    found = re.search(r"(?:Unsupported global: GLOBAL|unsupported GLOBAL) (\S+)", message)
    if found:
        return f"it asks for {found.group(1)}, which could run code"
    own = re.search(r"WeightsUnpickler error:\s*(.+)", message)
    return own.group(1).strip().rstrip(".") if own else message.splitlines()[0]
