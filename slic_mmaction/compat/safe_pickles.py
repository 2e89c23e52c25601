"""Harmless stand-ins for the classes of an mmengine checkpoint, besides torch's own.

An mmengine checkpoint contains its ``message_hub``: ``HistoryBuffer`` objects, made of NumPy
arrays and a table of their own methods, pickled as ``getattr(HistoryBuffer, 'mean')``. torch's
``weights_only`` reader refuses all of these. Allowing the real ones would be unsafe:
``builtins.getattr`` reaches any attribute of any allowed object, and NumPy's dtype accepts forged
flags, with which an array of objects is filled with raw bytes as pointers.

The reader gets :data:`ALLOWED` instead: each name is a stand-in that checks its arguments and
builds the plain value. Only numbers, bool arrays and histories of numbers can be built, and no
callable from the file is ever kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer

# NumPy's codes for bool, integers and floats, with their size in bytes.
_NUMBERS = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})
_STATISTICS = frozenset({"min", "max", "current", "mean"})


class _DType:
    """Stand-in for a pickled ``numpy.dtype`` of plain numbers; ``value`` is the real one."""

    def __init__(self, code: object, align: object = False, copy: object = True) -> None:
        if not isinstance(code, str) or code not in _NUMBERS:
            raise UnpicklingError(f"it holds a NumPy dtype {code!r}, which is not a plain number")
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # (version, byte order, subarray, names, fields, size, alignment, flags). For a plain
        # number only the byte order matters; the rest is ignored.
        if state[1] not in ("<", ">", "|", "="):
            raise UnpicklingError(f"it holds a NumPy byte order {state[1]!r}")
        self.value = self.value.newbyteorder(state[1])


class _Array(np.ndarray):
    """A numeric array read from a checkpoint, which is pickled as a plain array.

    Only :func:`_reconstruct` makes one, and it is filled once. Filling it again would free memory
    that a tensor may share.
    """

    filled = False

    def __new__(cls, *args: object) -> _Array:
        raise UnpicklingError("it holds a NumPy array made in an unknown way")

    def __setstate__(self, state: Any) -> None:
        if self.filled:
            raise UnpicklingError("it holds a NumPy array that is filled twice")
        self.filled = True
        _, shape, dtype, fortran, raw = state
        if not isinstance(dtype, _DType) or not isinstance(raw, bytes):
            raise UnpicklingError("it holds a NumPy array that is not made of plain numbers")
        plain: Any = (1, shape, dtype.value, bool(fortran), raw)
        super().__setstate__(plain)  # checks that shape, dtype and bytes agree

    def __reduce__(self) -> Any:
        return np.asarray(self).__reduce__()


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    """Stand in for NumPy's array constructor: an empty array, filled by ``__setstate__``."""
    if kind is not _Array:
        raise UnpicklingError("it holds a NumPy array of an unknown class")
    return np.empty((0,), dtype=np.uint8).view(_Array)


def _scalar(dtype: object, raw: object) -> np.generic:
    """Stand in for NumPy's scalar constructor."""
    if not isinstance(dtype, _DType) or not isinstance(raw, bytes):
        raise UnpicklingError("it holds a NumPy scalar that is not a plain number")
    return np.frombuffer(raw, dtype=dtype.value, count=1)[0]


class _History(HistoryBuffer):
    """Stand-in that becomes a real ``HistoryBuffer`` after a check of its numbers.

    The table of methods in the file is dropped: mmengine registers them at import, and its own
    ``__setstate__`` would write the file's methods to a table shared by all buffers.
    """

    def __init__(self) -> None:
        super().__init__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        values, counts = state["_log_history"], state["_count_history"]
        if not isinstance(values, _Array) or not isinstance(counts, _Array):
            raise UnpicklingError("it holds a HistoryBuffer that is not made of numbers")
        self.__dict__.clear()
        self.max_length = int(state["max_length"])
        self._log_history = np.array(values, subok=False)
        self._count_history = np.array(counts, subok=False)
        self._set_default_statistics()
        self.__class__ = HistoryBuffer  # type: ignore[assignment]


def _history_method(owner: object, name: object) -> str:
    """Stand in for ``getattr``, for the statistics of a history only.

    Returns the name only, because no method from a file is used.
    """
    if owner is not _History or name not in _STATISTICS:
        raise UnpicklingError(f"it asks for getattr({owner!r}, {name!r}), which could run code")
    return str(name)


def _empty_bytes() -> bytes:
    """Stand in for ``bytes``, whose call protocol 2 writes for the bytes of an empty array."""
    return b""


#: For ``torch.serialization.safe_globals``: (stand-in, name in the file).
ALLOWED: list[tuple[Callable[..., Any], str]] = [
    (_History, "mmengine.logging.history_buffer.HistoryBuffer"),
    (_history_method, "builtins.getattr"),
    (_empty_bytes, "builtins.bytes"),
    (_Array, "numpy.ndarray"),
    (_DType, "numpy.dtype"),
    # NumPy 1 wrote `numpy.core`, NumPy 2 writes `numpy._core`.
    (_reconstruct, "numpy.core.multiarray._reconstruct"),
    (_reconstruct, "numpy._core.multiarray._reconstruct"),
    (_scalar, "numpy.core.multiarray.scalar"),
    (_scalar, "numpy._core.multiarray.scalar"),
]
