"""Loading checkpoints without running code from the file or from the config inside it.

Since torch 2.6, ``torch.load`` reads plain weights only, but mmengine's checkpoints contain more
(mmengine issue 1655): resume, ``load_from`` and testing all fail. The usual workaround (also of
the fork onedl-mmengine 0.10.12), ``weights_only=False``, runs any program that the file contains.
Here ``weights_only=True`` stays, with the few stand-ins of ``safe_pickles``. Older versions of
torch are not an alternative: up to 2.5.1 even ``weights_only=True`` could be made to run code
(CVE-2025-32434), so the package requires 2.6.

A checkpoint of MMCV 1 has the text of the config in ``meta['config']``. When a run is resumed,
mmengine 0.10.7 passes it to ``Config.fromstring`` to compare the number of GPUs. A config is a
Python program, which would run although the pickle was read safely.
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
    """Make mmengine read checkpoints from files and URLs safely (mmengine issue 1655).

    The repair is skipped if mmengine's loader passes ``weights_only=True`` itself, or if another
    loader is registered for local files.
    """
    if "weights_only=True" in inspect.getsource(_mmengine_load_from_local):
        return False
    if CheckpointLoader._schemes.get("") is not _mmengine_load_from_local:
        return False
    CheckpointLoader.register_scheme(prefixes="", loader=load_from_local, force=True)
    upstream.load_url = load_url
    if hasattr(upstream, "_safe_torch_load"):
        # onedl-mmengine uses it for other sources, and would read refused files with code.
        upstream._safe_torch_load = _load_without_code
    return True


def load_from_local(filename: str, map_location: Any) -> Any:
    """Load a checkpoint file without running code in it.

    Args:
        filename: Path; ``~`` is expanded.
        map_location: Argument of ``torch.load``.

    Returns:
        The saved object, usually a dict.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged, or contains other objects than tensors, plain values,
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
    """Download a checkpoint once and load it like a local one, with the arguments of ``torch.hub``.

    Raises:
        ValueError: If the file is damaged or refused, as in :func:`load_from_local`.
    """
    with _reading(url):
        return _mmengine_load_url(url, *args, **kwargs, weights_only=True)


def repair_checkpoint_content() -> bool:
    """Check the content of every checkpoint that mmengine loads, from any source.

    The repair is skipped if mmengine does not run the config in a checkpoint.
    """
    if "Config.fromstring" not in inspect.getsource(Runner.resume):
        return False
    CheckpointLoader.load_checkpoint = staticmethod(load_checkpoint)
    return True


def load_checkpoint(
    filename: str, map_location: Any = None, logger: Any = "current"
) -> dict[str, Any]:
    """Load a path or URL as mmengine does, with its arguments, but without ``meta['config']``.

    Raises:
        ValueError: If the checkpoint is not a dict.
    """
    checkpoint = _mmengine_load_checkpoint(filename, map_location, logger)
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f"The checkpoint {filename} is a {type(checkpoint).__name__}, but a dict of weights, "
            "or with weights under 'state_dict', was expected: give another file."
        )
    meta = checkpoint.get("meta")
    if isinstance(meta, dict):
        meta.pop("config", None)
    return checkpoint


def _check_sums(filename: str) -> None:
    """Compare the checksums, which torch writes but does not read.

    A flipped bit on a disk would otherwise be read as another weight. Files older than torch 1.6
    have no checksums.
    """
    if not zipfile.is_zipfile(filename):
        return
    with zipfile.ZipFile(filename) as archive:
        for record in archive.infolist():
            if record.external_attr & _FOLDER:
                # torch would read uninitialised memory as its content.
                raise zipfile.BadZipFile(f"{record.filename} is marked as a folder")
            if record.CRC == 0:  # saved after torch.serialization.set_crc32_options(False)
                continue
            with archive.open(record) as content:
                while content.read(_BLOCK):
                    pass  # compared at the end of the record


@contextlib.contextmanager
def _reading(source: str) -> Iterator[None]:
    """Allow the stand-ins while reading, and convert torch's long messages into one sentence."""
    try:
        with safe_globals([*ALLOWED]):
            yield
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"The checkpoint {source} was not loaded: {_reason(str(error))}; "
            "save only tensors, numbers, strings and containers of them, or, if you trust its "
            "source, allow that name with torch.serialization.add_safe_globals."
        ) from None
    except Exception as error:  # a damaged file can raise anything in torch's reader
        # Errors of permissions and connections are clear, but EINVAL is a seek outside of the
        # file, which is damaged.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        local = os.path.isfile(source)
        advice = newest_sound(Path(source).parent, Path(source)) if local else "Download it again."
        raise ValueError(
            f"The checkpoint {source} is damaged and was not loaded ({type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'the file ends too early'}). "
            f"{advice}"
        ) from error


def _reason(message: str) -> str:
    """Extract the refused name from the message of torch's reader."""
    found = re.search(r"(?:Unsupported global: GLOBAL|unsupported GLOBAL) (\S+)", message)
    if found:
        return f"it asks for {found.group(1)}, which could run code"
    own = re.search(r"WeightsUnpickler error:\s*(.+)", message)
    return own.group(1).strip().rstrip(".") if own else message.splitlines()[0]
