from __future__ import annotations

import shutil
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from slic_mmaction.preparation import extraction
from slic_mmaction.preparation.archives import find_archives, unpack_all
from slic_mmaction.preparation.extraction import extract

# Where each tool's archive and folder stand among its arguments.
FAKES = {"unrar": (4, 5), "unar": (6, 5), "bsdtar": (3, 5)}


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_rar(path: Path, files: dict[str, bytes]) -> Path:
    """Write a RAR 4 archive that stores its files uncompressed (as in technote.txt of RAR 4)."""

    def block(kind: int, flags: int, body: bytes) -> bytes:
        head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head

    content = b"Rar!\x1a\x07\x00" + block(0x73, 0, bytes(6))
    for name, data in files.items():
        sizes = struct.pack("<IIBIIBB", len(data), len(data), 3, zlib.crc32(data), 0, 20, 0x30)
        body = sizes + struct.pack("<HI", len(name), 0o100644) + name.encode()
        content += block(0x74, 0x8000, body) + data
    path.write_bytes(content + block(0x7B, 0x4000, b""))
    return path


def install(folder: Path, tool: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / tool).write_text(f"#!/bin/sh\n{script}\n")
    (folder / tool).chmod(0o755)


def install_fake(folder: Path, tool: str) -> None:
    """A tool that takes .zip for .rar."""
    archive, target = FAKES[tool]
    install(folder, tool, f'exec "{sys.executable}" -m zipfile -e "${archive}" "${target}"')


@pytest.fixture
def hmdb(tmp_path: Path) -> Path:
    """HMDB51's archives: one with an archive for each class, one with the lists."""
    down = tmp_path / "down loads"
    down.mkdir()
    write_zip(down / "wave.rar", {"wave/#1 & ü.avi": b"1", "wave/._x.avi": b"mac"})
    write_zip(down / "flat.rar", {"2.avi": b"2"})
    inner = {name: (down / name).read_bytes() for name in ("wave.rar", "flat.rar")}
    for name in inner:
        (down / name).unlink()
    write_zip(down / "hmdb51_org.rar", inner)
    write_zip(down / "splits.rar", {"folder/wave_test_split1.txt": b"#1 & u.avi 1\n"})
    return down


@pytest.mark.parametrize("tool", FAKES)
def test_archives_within_archives(hmdb: Path, tmp_path: Path, monkeypatch, tool: str) -> None:
    install_fake(tmp_path / "bin", tool)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    root = tmp_path / "data"
    places = (root, root / "videos", root / "annotations")
    assert unpack_all(find_archives([hmdb]), *places) == 2
    assert (root / "videos" / "wave" / "#1 & ü.avi").read_bytes() == b"1"
    assert (root / "videos" / "flat" / "2.avi").read_bytes() == b"2"
    assert (root / "annotations" / "wave_test_split1.txt").is_file()
    files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    assert len(files) == 4 and files[1] == "unpacked.jsonl"
    assert unpack_all(find_archives([hmdb]), *places) == 0
    write_zip(hmdb / "splits.rar", {"new_test_split1.txt": b"another\n"})
    assert unpack_all(find_archives([hmdb / "splits.rar"]), *places) == 1


def test_stopped_unpacking_starts_again(hmdb: Path, tmp_path: Path, monkeypatch) -> None:
    install_fake(tmp_path / "bin", "unrar")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    left = tmp_path / "data" / ".unpacking-hmdb51_org.rar" / "torn.avi"
    left.parent.mkdir(parents=True)
    left.write_text("half a video")
    root = tmp_path / "data"
    unpack_all([hmdb / "hmdb51_org.rar"], root, root / "videos", root / "annotations")
    assert not left.parent.exists() and not list(root.rglob("torn.avi"))


def test_no_tool_for_rar_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"sudo apt install unar.*the same command again"):
        extract(write_rar(tmp_path / "x.rar", {"a.avi": b"1"}), tmp_path)


def test_second_tool_is_tried_and_complaints_are_passed_on(tmp_path: Path, monkeypatch) -> None:
    archive = write_zip(tmp_path / "x.rar", {"a.avi": b"1"})
    folder = tmp_path / "folder"
    folder.mkdir()
    install(tmp_path / "bin", "unrar", ": > $5/torn.avi; echo 'CRC failed' >&2; exit 3")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ValueError, match=r"x.rar could not be unpacked.*unrar said: CRC failed"):
        extract(archive, folder)
    install_fake(tmp_path / "bin", "bsdtar")
    extract(archive, folder)
    assert [path.name for path in folder.iterdir()] == ["a.avi"]


@pytest.mark.parametrize("tool", ["unrar", "unar", "bsdtar"])
def test_real_tools(tmp_path: Path, monkeypatch, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    monkeypatch.setattr(extraction, "RAR_TOOLS", {tool: extraction.RAR_TOOLS[tool]})
    folder = tmp_path / "to here"
    folder.mkdir()
    archive = write_rar(tmp_path / "a b.rar", {"wave/#1 & x.avi": b"video", "wave.txt": b"list"})
    extract(archive, folder)
    assert (folder / "wave" / "#1 & x.avi").read_bytes() == b"video"
    archive.write_bytes(archive.read_bytes()[:60])
    with pytest.raises(ValueError, match=f"{tool} said"):
        extract(archive, folder)


@pytest.mark.parametrize("name", ["../out.avi", "/tmp/out.avi", "a/../../out.avi", "..\\out.avi"])
def test_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = write_zip(tmp_path / "x.zip", {"good.avi": b"1", name: b"2"})
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="leads out of the folder"):
        extract(archive, tmp_path / "folder")
    assert not list((tmp_path / "folder").iterdir()) and not (tmp_path / "out.avi").exists()


def test_damaged_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    archive = write_zip(tmp_path / "x.zip", {"a.avi": b"123456789"})
    archive.write_bytes(archive.read_bytes().replace(b"123456789", b"123456780"))
    with pytest.raises(ValueError, match=r"x.zip is damaged.*download it again"):
        extract(archive, tmp_path / "folder")
    archive.write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match=r"x.zip is damaged"):
        extract(archive, tmp_path / "folder")


def test_places_without_archives_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").touch()
    for place, error, message in (
        (tmp_path / "x.rar", FileNotFoundError, "There is no archive"),
        (tmp_path, FileNotFoundError, "holds no .zip or .rar"),
        (tmp_path / "x.tar.gz", ValueError, "unpack it by hand"),
    ):
        with pytest.raises(error, match=message):
            find_archives([place])
