from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from slic_mmaction.durable_file import durable_file


def write(path: Path, data: bytes) -> None:
    with durable_file(path) as file:
        file.write(data)


def test_the_name_appears_when_all_is_on_the_disk(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "new" / "file"
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("replace"), replace(a, b)))
    with durable_file(path) as file:
        file.write(b"one")
        assert not path.exists()
    assert events == ["fsync", "replace", "fsync"]  # the content, its name, the folder
    assert path.read_bytes() == b"one"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_links_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to("file")
    write(link, b"new")
    assert link.is_symlink() and (tmp_path / "file").read_bytes() == b"new"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        write(pipe, b"through")
        assert reader.stdout.read() == b"through"
    assert pipe.is_fifo()


def test_a_file_system_that_cannot_sync_folders(tmp_path: Path, monkeypatch) -> None:
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    killed = """
import os, signal, sys
from pathlib import Path
from slic_mmaction.durable_file import durable_file
with durable_file(Path(sys.argv[1])) as file:
    file.write(b"half of something")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", killed, str(tmp_path / "file")], check=False
    )
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    write(tmp_path / "another", b"two")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"another": b"two"}


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"old")
    with (
        pytest.raises(
            OSError, match=r"/file was not written \(No space left .* bytes are free in .*intact"
        ) as caught,
        durable_file(path) as file,
    ):
        file.write(b"ne")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"file": b"old"}


def test_a_full_disk_that_torch_hides_is_named(tmp_path: Path) -> None:
    class FullFile(io.BytesIO):
        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"/file was not written \(No space left"):  # noqa: SIM117
        with durable_file(tmp_path / "file"):
            torch.save(dict(weight=torch.ones(9)), FullFile())
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_writer_is_its_own(tmp_path: Path) -> None:
    for kind in (KeyError, RuntimeError):
        with pytest.raises(kind, match="mine"), durable_file(tmp_path / "file"):
            raise kind("mine")
    assert not list(tmp_path.iterdir())


def test_two_writers_of_a_name_do_not_disturb_each_other(tmp_path: Path) -> None:
    with durable_file(tmp_path / "file") as first:
        first.write(b"the first")
        with durable_file(tmp_path / "file") as second:
            second.write(b"the second")
        assert (tmp_path / "file").read_bytes() == b"the second"
    assert (tmp_path / "file").read_bytes() == b"the first"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
