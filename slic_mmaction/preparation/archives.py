"""Unpacking what the official sites offer: .zip and .rar, archives within archives.

Nothing is written outside the target folder, whatever the names in an archive say, and what
an archive holds is sorted: videos to ``videos/<class>/``, lists to ``annotations/``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from .extraction import ARCHIVE_SUFFIXES, extract
from .journal import Journal, fingerprint
from .video_files import VIDEO_SUFFIXES

LIST_SUFFIXES = (".txt", ".csv")


def find_archives(places: Iterable[Path]) -> list[Path]:
    """List archives: the files named, and those in the folders named.

    Raises:
        FileNotFoundError: If a place is not there or holds no archive.
        ValueError: If a file is of another kind.
    """
    archives: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = [p for p in sorted(place.iterdir()) if p.suffix.lower() in ARCHIVE_SUFFIXES]
            if not inside:
                raise FileNotFoundError(f"The folder {place} holds no .zip or .rar archive.")
            archives += inside
        elif not place.is_file():
            raise FileNotFoundError(f"There is no archive {place}.")
        elif place.suffix.lower() not in ARCHIVE_SUFFIXES:
            raise ValueError(f"{place} is no .zip or .rar; unpack it by hand (tar xf {place}).")
        else:
            archives.append(place)
    return archives


def unpack_all(archives: Iterable[Path], root: Path, videos: Path, annotations: Path) -> int:
    """Unpack archives and sort their files; those that were unpacked before are left out.

    Args:
        archives (Iterable[Path]): The archives.
        root (Path): Folder of the data set; holds the journal and, for a while, the files.
        videos (Path): Folder for videos, which keep the name of their own folder.
        annotations (Path): Folder for lists.

    Returns:
        int: Number of archives unpacked now.
    """
    count = 0
    with Journal(root / "unpacked.jsonl") as done:
        for archive in archives:
            if done.get(archive) is not None:
                continue
            state = fingerprint(archive)
            staging = root / f".unpacking-{archive.name}"
            # Left over from a run that was stopped: nobody knows which file is whole.
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
            unpack(archive, staging)
            moved = sort_files(staging, videos, annotations)
            shutil.rmtree(staging)
            done.put(archive, state, moved)
            count += 1
    return count


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive and the archives in it (HMDB51's holds one for each class).

    Args:
        archive (Path): A .zip or .rar file.
        folder (Path): Where to. What is in no folder of its own in the archive comes into one
            with the archive's name: in HMDB51's that is the class.
    """
    place = folder / archive.stem
    place.mkdir(parents=True)
    extract(archive, place)
    inner = [p for p in sorted(place.rglob("*")) if p.suffix.lower() in ARCHIVE_SUFFIXES]
    for path in inner:
        if path.is_file() and not path.is_symlink():
            unpack(path, path.with_name(f"{path.name}.unpacked"))
            path.unlink()


def sort_files(staging: Path, videos: Path, annotations: Path) -> dict[str, int]:
    """Move unpacked videos to ``videos/<their folder>/`` and lists to ``annotations/``.

    Links are left behind: in an archive they can only point to what is not ours.

    Returns:
        dict[str, int]: Number of videos and of lists.
    """
    count = {"videos": 0, "lists": 0}
    for path in sorted(staging.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.name.startswith("."):
            continue
        if path.suffix.lower() in LIST_SUFFIXES:
            target = annotations / path.name
            count["lists"] += 1
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            target = videos / path.parent.name / path.name
            count["videos"] += 1
        else:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(str(path), str(target))
    return count
