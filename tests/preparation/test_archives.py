from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from slic_mmaction.preparation.archives import BSDTAR, SEVEN, find_archives, unpack_all

CONTENT = b"123456789" * 20


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def install(folder: Path, tool: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / tool).write_text(f"#!/bin/sh\n{script}\n")
    (folder / tool).chmod(0o755)


def install_fake(folder: Path, tool: str) -> None:
    """A tool that takes .zip for .rar, as the real bsdtar does."""
    options = BSDTAR if tool == "bsdtar" else SEVEN
    archive, target = (1 + [name in o for o in options].index(True) for name in ("{arch", "{fold"))
    script = f'exec "{sys.executable}" -m zipfile -e "${{{archive}}}" "${{{target}#-o}}"'
    install(folder, tool, script)


@pytest.fixture
def unpack(tmp_path: Path):
    """Unpack into ``data`` and list what lies there; after a failure that is nothing."""

    def run(*archives: Path) -> list[str]:
        root = tmp_path / "data"
        try:
            unpack_all(archives, root, root / "videos", root / "annotations")
        finally:
            run.files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.*"))
        return run.files

    return run


@pytest.mark.parametrize("tool", ["7zz", "bsdtar"])
def test_archives_within_archives(unpack, tmp_path: Path, monkeypatch, tool: str) -> None:
    """As HMDB51's: one with an archive for each class, one with the lists."""
    down = tmp_path / "down loads"
    down.mkdir()
    write_zip(tmp_path / "wave.rar", {"wave/#1 & ü.avi": b"1", "wave/._x.avi": b"mac"})
    write_zip(tmp_path / "flat.rar", {"2.avi": b"2"})
    with tarfile.open(down / "hmdb51_org.tar.gz", "w:gz") as archive:
        for name in ("wave.rar", "flat.rar"):
            archive.add(tmp_path / name, name)
    write_zip(down / "splits.rar", {"folder/wave_test_split1.txt": b"#1 & u.avi 1\n"})
    install_fake(tmp_path / "bin", tool)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    left = tmp_path / "data" / "videos" / ".unpacking-splits.rar" / "torn.avi"  # by a killed run
    left.parent.mkdir(parents=True)
    left.write_text("half a video")
    assert unpack(*find_archives([down])) == [
        "annotations/wave_test_split1.txt", "unpacked.jsonl", "videos/flat/2.avi",
        "videos/wave/#1 & ü.avi",
    ]  # fmt: skip
    shutil.rmtree(tmp_path / "data" / "videos")
    assert len(unpack(*find_archives([down]))) == 2  # nothing is unpacked again
    write_zip(down / "splits.rar", {"new_test_split1.txt": b"another\n"})
    assert "annotations/new_test_split1.txt" in unpack(*find_archives([down / "splits.rar"]))


def test_tools_for_rar(unpack, tmp_path: Path, monkeypatch) -> None:
    archive = write_zip(tmp_path / "x.rar", {"a.avi": b"1"})
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ValueError, match=r"none of 7zz, .* is installed.*libarchive-tools"):
        unpack(archive)
    install(tmp_path / "bin", "7z", ": > ${5#-o}/torn.avi; echo 'CRC failed: a.avi' >&2; exit 3")
    with pytest.raises(ValueError, match=r"x.rar cannot be unpacked: 7z said: CRC failed: a.avi"):
        unpack(archive)
    assert unpack.files == []
    install_fake(tmp_path / "bin", "bsdtar")
    assert unpack(archive) == ["unpacked.jsonl", "videos/x/a.avi"]
    install(tmp_path / "bin", "7z", "echo 'a.avi: No space left on device' >&2; exit 3")
    with pytest.raises(OSError, match=r"y.rar was not unpacked: 7z said: a.avi: No space left"):
        unpack(shutil.copy(archive, tmp_path / "y.rar"))


def spoil(path: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


def link(path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, kind in (("x/a.avi", tarfile.REGTYPE), ("x/b.avi", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, "/etc/passwd", 1
            archive.addfile(info, io.BytesIO(b"1"))
    return path


def test_bad_archives_are_named_and_leave_nothing(unpack, tmp_path: Path, monkeypatch) -> None:
    """One sentence with the archive and the member."""
    good = {"x/good.avi": b"1"}
    cases: list[tuple[Path, str]] = []
    for i, name in enumerate(["../out.avi", str(tmp_path / "out.avi"), "a/../../../out.avi",
                              "..\\out.avi"]):  # fmt: skip
        path = write_zip(tmp_path / f"{i}.zip", {**good, name: b"2"})
        cases.append((path, "out.avi' cannot be unpacked: its name leads out of the folder"))
    for name, old, new, message in (
        ("damaged", CONTENT, CONTENT[::-1], "'x/a.avi' cannot be unpacked: Bad CRC-32"),
        ("unknown", b"\x14\0\0\0\0\0", b"\x14\0\0\0\x63\0", "'x/a.avi' .*compression method"),
        ("locked", b"\x14\0\0\0", b"\x14\0\1\0", "'x/a.avi' cannot be .*password required"),
        ("page", b"PK", b"<html>", "page.zip cannot be unpacked: File is not a zip"),
    ):
        path = write_zip(tmp_path / f"{name}.zip", {"x/a.avi": CONTENT})
        cases.append((spoil(path, old, new), message))
    path = write_zip(tmp_path / "twice.zip", {"one/x/a.avi": b"1", "two/x/a.avi": b"2"})
    cases.append((path, "'twice/one/x/a.avi' and 'twice/two/x/a.avi' differ"))
    with tarfile.open(tmp_path / "bits.tgz", "w:gz", compresslevel=0) as archive:
        archive.add(cases[0][0], "x/a.avi")
    cases.append((spoil(tmp_path / "bits.tgz", b"good", b"evil"), "bits.tgz: 'x/a.avi' .* CRC"))
    (tmp_path / "page.tar.gz").write_text("<html>")
    cases.append((tmp_path / "page.tar.gz", "page.tar.gz cannot be unpacked: .*not a gzip file"))
    path = link(tmp_path / "cut.tar")
    path.write_bytes(path.read_bytes()[:1000])
    cases.append((path, "cut.tar.* cannot be unpacked: "))
    for path, message in cases:
        with pytest.raises(ValueError, match=message) as error:
            unpack(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)
        assert unpack.files == [], path
    assert not list(tmp_path.rglob("out.avi"))
    assert unpack(link(tmp_path / "l.tar")) == ["unpacked.jsonl", "videos/x/a.avi"]
    with pytest.raises(ValueError, match=r"more.zip: '.*x/a.avi' differ"):
        unpack(write_zip(tmp_path / "more.zip", {"x/a.avi": b"another"}))
    if os.path.exists("/dev/full"):
        monkeypatch.setattr("builtins.open", lambda *args: io.open("/dev/full", "wb"))  # noqa: SIM115, UP020
        with pytest.raises(OSError, match=r"room.zip: 'y/b.avi' was not unpacked: No space left"):
            unpack(write_zip(tmp_path / "room.zip", {"y/b.avi": CONTENT}))


def test_places_without_archives_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.iso").touch()
    for place, message in ((tmp_path / "x.rar", "There is no archive"), (tmp_path, "of archives"),
                           (tmp_path / "x.iso", "x.iso is not an archive")):  # fmt: skip
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            find_archives([place])
