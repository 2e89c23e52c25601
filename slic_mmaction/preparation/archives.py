"""Unpacking the archives of the official sites (.zip, .tar and .rar), including nested ones.

Files are never written outside of the target folder, whatever their names in an archive. Videos
are moved to ``videos/<class>/`` and lists to ``annotations/``.
"""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..progress import progress_bar
from .journal import Journal, fingerprint
from .video_files import VIDEO_SUFFIXES

BY_PYTHON = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ENDS = (*BY_PYTHON, ".rar", ".7z")
LIST_SUFFIXES = (".txt", ".csv")
# bsdtar is last, because it does not detect damaged files (libarchive 3.6 does not check the
# checksums of stored files). 7-Zip reports if it lacks the RAR decoder, as in Debian.
SEVEN = ("x", "-y", "-bd", "-p-", "-o{folder}", "{archive}")
BSDTAR = ("-x", "--passphrase", "-", "-f", "{archive}", "-C", "{folder}")
TOOLS = {"7zz": SEVEN, "7z": SEVEN, "bsdtar": BSDTAR}
INSTALL = "sudo apt install libarchive-tools (conda install -c conda-forge libarchive)"


def _end(path: Path) -> str:
    """Return the suffix of an archive, or '' for another file."""
    return next((end for end in ENDS if path.name.lower().endswith(end)), "")


def find_archives(places: Iterable[Path]) -> list[Path]:
    """List the given archives, and those in the given folders."""
    archives: list[Path] = []
    for place in places:
        if not place.exists():
            raise FileNotFoundError(f"There is no archive {place}.")
        inside = sorted(filter(_end, place.iterdir() if place.is_dir() else [place]))
        if not inside:
            raise ValueError(
                f"{place} is not an archive or a folder of archives ({', '.join(ENDS)})."
            )
        archives += inside
    return archives


def unpack_all(archives: Iterable[Path], root: Path, videos: Path, annotations: Path) -> int:
    """Unpack archives and sort their files, except those that were unpacked before.

    The journal of unpacked archives is in ``root``, the folder of the dataset.

    Returns:
        Number of archives unpacked now.
    """
    count = 0
    journal = Journal(root / "unpacked.jsonl")
    for archive in archives:
        if journal.get(archive) is not None:
            continue
        state = fingerprint(archive)
        staging = videos / f".unpacking-{archive.name}"
        # Remains of a killed run may have incomplete files.
        shutil.rmtree(staging, ignore_errors=True)
        try:
            _unpack(archive, staging)
            journal.put(archive, state, _sort(archive, staging, videos, annotations))
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        count += 1
    return count


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive and the archives in it (HMDB51's contains one for each class).

    Files without a folder get one with the archive's name, which is the class in HMDB51.
    """
    place = folder / archive.name[: -len(_end(archive))]
    place.mkdir(parents=True)
    with progress_bar(f"unpacking {archive.name}", None) as advance:
        if _end(archive) in BY_PYTHON:
            _by_python(archive, place, advance)
        else:
            _by_tool(archive, place)
    for path in sorted(filter(_end, place.rglob("*"))):
        if path.is_file() and not path.is_symlink():
            _unpack(path, path.with_name(f"{path.name}.unpacked"))
            path.unlink()


def _by_python(archive: Path, folder: Path, advance: Callable[[], None]) -> None:
    name = ""
    try:
        for name, open_member in _members(archive):
            target = Path(os.path.normpath(folder / name.replace("\\", "/")))
            if folder not in target.parents:
                raise ValueError("its name leads out of the folder that it is unpacked to")
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as member, open(target, "xb") as file:
                shutil.copyfileobj(member, file, 1 << 20)
            advance()
    except Exception as error:  # damaged archives raise many types of errors
        where = f"{archive}: {name!r}" if name else f"{archive}"
        if isinstance(error, OSError) and error.errno not in (None, errno.EEXIST):
            raise OSError(error.errno, f"{where} was not unpacked: {error.strerror}") from error
        twice = isinstance(error, FileExistsError)
        reason = "it is there twice" if twice else " ".join(str(error).split()).rstrip(".")
        said = f"{where} cannot be unpacked: {reason}. Download it again, or unpack it by hand."
        raise ValueError(said) from error


def _members(archive: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the name of each regular file, and a function that opens it."""
    if _end(archive) == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    yield info.filename, partial(zipped.open, info)
    else:
        with tarfile.open(archive) as tarred:
            for member in tarred:
                if member.isfile():
                    yield member.name, partial(tarred.extractfile, member)
            while tarred.fileobj.read(1 << 20):
                pass  # the checksum is at the end


def _by_tool(archive: Path, folder: Path) -> None:
    complaints = []
    for tool, options in TOOLS.items():
        if not shutil.which(tool):
            continue
        places = dict(archive=archive.resolve(), folder=folder.resolve())
        command = [tool, *(option.format(**places) for option in options)]
        # Without an input the tool cannot wait for an answer.
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode == 0:
            return
        said = " ".join(done.stderr.decode(errors="replace").split())[:300]
        said = said or f"exit code {done.returncode}"
        if "No space left" in said:
            raise OSError(errno.ENOSPC, f"{archive} was not unpacked: {tool} said: {said}")
        complaints.append(f"{tool} said: {said}")
        shutil.rmtree(folder)
        folder.mkdir()
    said = "; ".join(complaints) or f"none of {', '.join(TOOLS)} is installed"
    raise ValueError(f"{archive} cannot be unpacked: {said}. Is it complete? Unpack it by hand, or "
                     f"install a tool ({INSTALL}) and run the same command again.")  # fmt: skip


def _sort(archive: Path, staging: Path, videos: Path, annotations: Path) -> int:
    """Move unpacked videos to ``videos/<their folder>/`` and lists to ``annotations/``.

    Links are skipped, because they may point to other files of the machine. Returns the number of
    files moved.
    """
    sources: dict[Path, Path] = {}
    for path in sorted(staging.rglob("*")):
        suffix = path.suffix.lower()
        is_list = suffix in LIST_SUFFIXES
        visible = path.is_file() and not path.is_symlink() and not path.name.startswith(".")
        if not visible or not (is_list or suffix in VIDEO_SUFFIXES):
            continue
        target = annotations / path.name if is_list else videos / path.parent.name / path.name
        other = sources.get(target) or (target if target.exists() and not is_list else path)
        if other is not path and not filecmp.cmp(other, path, shallow=False):
            named = " and ".join(f"{str(p).replace(f'{staging}/', '')!r}" for p in (other, path))
            raise ValueError(f"{archive}: {named} differ, but would both be {target}; unpack it by "
                             "hand.")  # fmt: skip
        sources[target] = path
    for target, path in sources.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    return len(sources)
