from __future__ import annotations

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


class HalfWritten(Exception):
    pass


def break_writing(monkeypatch) -> None:
    """What a kill does, as an exception: nothing is written any more after the first half."""
    real_open = open

    def breaking_open(path, mode="r", *args, **kwargs):
        file = real_open(path, mode, *args, **kwargs)
        if "w" not in mode:
            return file
        write = file.write

        class Breaking:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                file.close()

            def write(self, data):
                write(data[: len(data) // 2])
                raise HalfWritten

        return Breaking()

    monkeypatch.setattr("builtins.open", breaking_open)


def overwrite_by_half(path: Path, monkeypatch) -> dict:
    save_checkpoint(dict(epoch=1), str(path))
    with monkeypatch.context() as context, pytest.raises(HalfWritten):
        break_writing(context)
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
    class Theirs(LocalBackend):
        pass

    monkeypatch.setitem(registry_utils.prefix_to_backends, "", Theirs)
    assert not repair_local_files()
    assert registry_utils.prefix_to_backends[""] is Theirs
