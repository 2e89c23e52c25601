from __future__ import annotations

import errno
from pathlib import Path

import mmengine.fileio
import pytest
import torch
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.fileio.backends import registry_utils
from mmengine.runner.checkpoint import save_checkpoint

from slic_mmaction.compat.local_files import DurableLocalBackend, repair_local_files


@pytest.fixture
def stock(monkeypatch) -> None:
    """mmengine as it is without the plugin."""
    monkeypatch.setitem(registry_utils.backends, "local", LocalBackend)
    monkeypatch.setitem(registry_utils.prefix_to_backends, "", LocalBackend)


def overwrite_by_half(path: Path, monkeypatch) -> dict:
    """What a full disk does: a write fails when half is written."""
    save_checkpoint(dict(epoch=1), str(path))
    real_open = open

    def open_and_fail(*args, **kwargs):
        file = real_open(*args, **kwargs)
        whole = file.write

        class HalfFile:
            __enter__ = lambda self: self  # noqa: E731
            __exit__ = lambda self, *error: file.close()  # noqa: E731

            def write(self, data):
                whole(data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

        return HalfFile()

    with monkeypatch.context() as context, pytest.raises(OSError, match="No space left"):
        context.setattr("builtins.open", open_and_fail)
        save_checkpoint(dict(epoch=2), str(path))
    return torch.load(path, weights_only=True)


def test_the_defect_is_there(stock, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(RuntimeError, match=r"zip archive|PytorchStreamReader"):
        overwrite_by_half(tmp_path / "epoch.pth", monkeypatch)


def test_the_repair_keeps_the_old_checkpoint(stock, tmp_path: Path, monkeypatch) -> None:
    assert repair_local_files()
    assert overwrite_by_half(tmp_path / "epoch.pth", monkeypatch) == dict(epoch=1)


def test_text_and_folders_as_before(tmp_path: Path) -> None:
    backend = get_file_backend(str(tmp_path))
    assert type(backend) is DurableLocalBackend
    path = tmp_path / "new" / "text"
    mmengine.fileio.put_text("ä\n", path)
    assert path.read_bytes() == "ä\n".encode()
    backend.put_text("ä", path, encoding="latin-1")
    assert path.read_bytes() == b"\xe4"


def test_another_backend_is_left_alone(monkeypatch) -> None:
    theirs = type("Theirs", (LocalBackend,), {})
    monkeypatch.setitem(registry_utils.prefix_to_backends, "", theirs)
    assert not repair_local_files()
    assert registry_utils.prefix_to_backends[""] is theirs
