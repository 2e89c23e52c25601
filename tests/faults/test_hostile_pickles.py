"""Pickles that run code, in every format that torch reads: refused, and nothing has run.

tests/compat/test_safe_pickles.py has those that aim at what our reader admits.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from slic_mmaction.compat.checkpoints import load_from_local

pytestmark = pytest.mark.faults


def text(value: str) -> bytes:
    return b"V" + value.encode("raw_unicode_escape") + b"\n"


def admitted_with_another_setstate(module: str, name: str, argument: str) -> bytes:
    make = b"ccollections\nOrderedDict\n)R}" + text("__setstate__")
    return make + f"c{module}\n{name}\n".encode() + b"sb" + text(argument) + b"b"


#: Opcodes that call ``module.name(argument)``.
CALLS: dict[str, Callable[[str, str, str], bytes]] = {
    "GLOBAL": lambda m, n, a: f"c{m}\n{n}\n".encode() + text(a) + b"\x85R",
    "STACK_GLOBAL": lambda m, n, a: text(m) + text(n) + b"\x93" + text(a) + b"\x85R",
    "INST": lambda m, n, a: b"(" + text(a) + f"i{m}\n{n}\n".encode(),
    "OBJ": lambda m, n, a: f"(c{m}\n{n}\n".encode() + text(a) + b"o",
    "BUILD": admitted_with_another_setstate,
}


def functions(marker: Path) -> dict[str, tuple[str, str, str]]:
    """Functions that run a string, as module, name and argument."""
    python = f"open({str(marker)!r}, 'w').close()"
    script = marker.with_suffix(".py")
    script.write_text(python)
    return {
        "system": ("os", "system", f"touch {marker}"),
        "posix": ("posix", "system", f"touch {marker}"),
        "subprocess": ("subprocess", "getoutput", f"touch {marker}"),
        "eval": ("builtins", "eval", python),
        "exec": ("builtins", "exec", python),
        "eval by its old name": ("__builtin__", "eval", python),
        "profiler": ("cProfile", "run", python),
        "script": ("runpy", "run_path", str(script)),
    }


def in_zip(pickled: bytes, path: Path, **options: Any) -> None:
    torch.save(None, path)
    with zipfile.ZipFile(path) as saved:
        records = {name: saved.read(name) for name in saved.namelist()}
    with zipfile.ZipFile(path, "w", **options) as forged:
        for name, content in records.items():
            forged.writestr(name, pickled if name.endswith("data.pkl") else content)


def in_legacy(pickled: bytes, path: Path) -> None:
    """torch < 1.6: magic number, protocol version, system, then the object."""
    head = [0x1950A86A20F9469CFC6C, 1001, dict(little_endian=True)]
    before, after = (b"".join(pickle.dumps(p, protocol=2) for p in part) for part in (head, [[]]))
    path.write_bytes(before + pickled + after)


def in_tar(pickled: bytes, path: Path) -> None:
    """torch < 0.2."""
    with tarfile.open(path, "w") as tar:
        for name in ("storages", "tensors", "pickle", "sys_info"):
            member = tarfile.TarInfo(name)
            member.size = len(pickled)
            tar.addfile(member, io.BytesIO(pickled))


def in_torchscript(pickled: bytes, path: Path) -> None:
    """An archive that says it is a program."""
    in_zip(pickled, path)
    with zipfile.ZipFile(path, "a") as archive:
        folder = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{folder}/constants.pkl", pickled)


FORMATS: dict[str, Callable[[bytes, Path], None]] = {
    "zip": in_zip,
    "compressed zip": lambda p, path: in_zip(p, path, compression=zipfile.ZIP_DEFLATED),
    "legacy": in_legacy,
    "tar": in_tar,
    "torchscript": in_torchscript,
    "bare pickle": lambda p, path: path.write_bytes(p) and None,
}


def refuse(path: Path) -> None:
    with pytest.raises(ValueError, match=path.name) as error:
        load_from_local(str(path), "cpu")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("call", CALLS)
def test_every_way_to_call(call: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for name, (module, function, argument) in functions(marker).items():
        pickled = CALLS[call](module, function, argument) + b"."
        pickle.loads(pickled)  # it is live: an ordinary reader runs it
        assert marker.exists(), name
        marker.unlink()
        for way, write in FORMATS.items():
            path = tmp_path / f"{way}.pth"
            write(pickled, path)
            refuse(path)
            assert not marker.exists(), (name, way)


@pytest.mark.parametrize("way", ["zip", "compressed zip", "legacy"])
def test_the_formats_are_real(way: str, tmp_path: Path, monkeypatch) -> None:
    marker, path = tmp_path / "ran", tmp_path / "c.pth"
    FORMATS[way](CALLS["GLOBAL"]("os", "system", f"touch {marker}") + b".", path)
    # Many set this because mmengine does not load without it (mmengine issue 1655).
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    refuse(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists()


def test_a_whole_network_is_refused(tmp_path: Path) -> None:
    """Not hostile, but its class would be imported and filled from the file."""
    torch.save(torch.nn.Linear(1, 1), tmp_path / "network.pth")
    with pytest.raises(ValueError, match=r"asks for torch\.nn\.modules\.linear\.Linear"):
        load_from_local(str(tmp_path / "network.pth"), "cpu")
