"""Hostile checkpoints that aim at what our reader admits: refused before anything has run.

tests/faults/test_hostile_pickles.py has every other way to call a function.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from slic_mmaction.compat.checkpoints import load_from_local

DTYPE_STATE = (3, "<", None, None, None, -1, -1, 0)


class Call:
    """Pickles as the call of a function, with a state to set on what it returns."""

    def __init__(self, function: Any, *args: Any, state: Any = None) -> None:
        self.reduced = (function, args) if state is None else (function, args, state)

    def __reduce__(self) -> Any:
        return self.reduced


class ForgedHistory(HistoryBuffer):
    """Pickles as a HistoryBuffer with the attributes it is given."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__([1.0], [1])
        self.attributes = attributes

    def __reduce_ex__(self, protocol: int) -> Any:
        state = dict(_log_history=self._log_history, _count_history=self._count_history)
        state.update(max_length=9, **self.attributes)
        return HistoryBuffer, (), state


def live(trace: Path) -> dict[str, Any]:
    """Objects that write ``trace`` when an ordinary reader unpickles them."""
    code = f"open({str(trace)!r}, 'w').close()"
    return {
        "in_the_hub": dict(message_hub=dict(log_scalars=[Call(os.system, f"touch {trace}")])),
        "in_a_history": ForgedHistory(_log_history=Call(eval, code)),
        "in_the_statistics": ForgedHistory(statistics_methods=dict(mean=Call(eval, code))),
        "in_an_object_array": np.array([Call(eval, code)], dtype=object),
    }


#: Objects that write nothing themselves but would open the way, or poison the process.
QUIET = {
    "getattr_globals": Call(getattr, HistoryBuffer.mean, "__globals__"),
    "getattr_init": Call(getattr, HistoryBuffer, "__init__"),
    "getattr_subclasses": Call(getattr, HistoryBuffer, "__subclasses__"),
    "getattr_by_another_class": Call(getattr, np.ndarray, "mean"),
    "getattr_three_arguments": Call(getattr, HistoryBuffer, "mean", None),
    "history_of_text": ForgedHistory(_log_history="text"),
    "history_without_counts": ForgedHistory(_count_history=None),
    "object_dtype": Call(np.dtype, "O", False, True, state=DTYPE_STATE),
    "array_of_another_class": Call(np.ndarray, (2,), state=(1, (2,), "f8", False, b"")),
    "array_of_objects": Call(np.ndarray, (2,), "O"),
    "array_too_short": Call(
        np.array([1.0]).__reduce__()[0],
        *np.array([1.0]).__reduce__()[1],
        state=(1, (1000,), np.dtype("f8"), False, b"12345678"),
    ),
    "scalar_too_short": Call(np.float64(1).__reduce__()[0], np.dtype("f8"), b"1234"),
}


def refuse(value: Any, path: Path) -> str:
    """Save, load, and return the one sentence of the refusal."""
    torch.save(dict(state_dict=value), path)
    with pytest.raises(ValueError, match=path.name) as error:
        load_from_local(str(path), "cpu")
    message = str(error.value)
    assert message.startswith(f"The checkpoint {path} ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", live(Path("unused")))
def test_live_payloads_never_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace"
    value = live(trace)[name]
    message = refuse(value, tmp_path / "bad.pth")
    assert not trace.exists()
    assert "could run code" in message or "plain number" in message

    # The payload is live: an ordinary reader does run it (and may poison mmengine's table).
    table = dict(HistoryBuffer._statistics_methods)
    monkeypatch.setattr(HistoryBuffer, "_statistics_methods", table)
    torch.load(tmp_path / "bad.pth", weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize("name", QUIET)
def test_quiet_payloads_are_refused(name: str, tmp_path: Path) -> None:
    refuse(QUIET[name], tmp_path / "bad.pth")


def test_forged_statistics_do_not_reach_mmengines_table(tmp_path: Path) -> None:
    before = dict(HistoryBuffer._statistics_methods)
    forged = ForgedHistory(
        statistics_methods=dict(mean=HistoryBuffer.min, new=HistoryBuffer.max),
        statistics="overwritten",
    )
    torch.save(forged, tmp_path / "c.pth")
    history = load_from_local(str(tmp_path / "c.pth"), "cpu")
    assert before == HistoryBuffer._statistics_methods
    assert callable(history.statistics)


def test_forged_dtype_flags_are_not_looked_at(tmp_path: Path) -> None:
    # With NumPy's own dtype, flags like these make raw bytes pass for pointers to objects.
    state = (3, "<", None, None, None, 1 << 20, 1 << 20, 255)
    dtype = Call(np.dtype, "f8", False, True, state=state)
    make = np.array([1.0]).__reduce__()[0]
    array = Call(make, np.ndarray, (0,), b"b", state=(1, (1,), dtype, False, b"\0" * 8))
    torch.save(array, tmp_path / "c.pth")
    np.testing.assert_array_equal(load_from_local(str(tmp_path / "c.pth"), "cpu"), [0.0])


def test_an_array_is_filled_once(tmp_path: Path) -> None:
    value = np.array([1.0])
    state = pickle.dumps(value.__reduce__()[2], protocol=2)[2:-1]  # without PROTO and STOP
    once = pickle.dumps(value, protocol=2)
    write_pickle(once, tmp_path / "once.pth")
    np.testing.assert_array_equal(load_from_local(str(tmp_path / "once.pth"), "cpu"), value)

    write_pickle(once[:-1] + state + pickle.BUILD + pickle.STOP, tmp_path / "twice.pth")
    with pytest.raises(ValueError, match="filled twice"):
        load_from_local(str(tmp_path / "twice.pth"), "cpu")


def write_pickle(pickled: bytes, path: Path) -> None:
    """Write a checkpoint whose pickle is these bytes."""
    torch.save(None, path)
    with zipfile.ZipFile(path) as saved:
        records = {name: saved.read(name) for name in saved.namelist()}
    with zipfile.ZipFile(path, "w") as forged:
        for name, content in records.items():
            forged.writestr(name, pickled if name.endswith("data.pkl") else content)


def test_the_allow_list_is_gone_after_loading(tmp_path: Path) -> None:
    before = set(torch.serialization.get_safe_globals())
    torch.save(HistoryBuffer([1.0], [1]), tmp_path / "c.pth")
    load_from_local(str(tmp_path / "c.pth"), "cpu")
    assert set(torch.serialization.get_safe_globals()) == before
