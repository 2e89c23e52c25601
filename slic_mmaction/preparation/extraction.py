"""Taking one archive apart: .zip by Python, .rar by whichever tool is installed."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

from .progress import progress_bar, size_bar

ARCHIVE_SUFFIXES = (".zip", ".rar")
# bsdtar comes last: it takes a damaged file for a good one (libarchive 3.6 checks no sums of
# stored files). 7-Zip says so if its RAR decoder was left out, as in Debian.
RAR_TOOLS = {
    "unrar": ("x", "-o+", "-idq", "{archive}", "{folder}/"),
    "unar": (
        "-quiet",
        "-force-overwrite",
        "-no-directory",
        "-output-directory",
        "{folder}",
        "{archive}",
    ),
    "7zz": ("x", "-y", "-bd", "-o{folder}", "{archive}"),
    "7z": ("x", "-y", "-bd", "-o{folder}", "{archive}"),
    "bsdtar": ("-x", "-f", "{archive}", "-C", "{folder}"),
}


def extract(archive: Path, folder: Path) -> None:
    """Extract an archive.

    Args:
        archive (Path): A .zip or .rar file.
        folder (Path): An empty folder. Nothing is written outside of it.

    Raises:
        ValueError: If a name in the archive leads out of the folder, or it is damaged.
        RuntimeError: If no tool for .rar is installed.
    """
    if archive.suffix.lower() == ".zip":
        extract_zip(archive, folder)
    else:
        extract_rar(archive, folder)


def extract_zip(archive: Path, folder: Path) -> None:
    """Extract a .zip; see :func:`extract`."""
    inside = folder.resolve()
    try:
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                target = (inside / info.filename.replace("\\", "/")).resolve()
                if inside not in (target, *target.parents):
                    raise ValueError(
                        f"{archive} holds {info.filename!r}, which leads out of the folder it "
                        "is unpacked to; nothing of it was unpacked. Get it from the official site."
                    )
            with progress_bar(f"unpacking {archive.name}", len(file.infolist())) as advance:
                for info in file.infolist():
                    file.extract(info, inside)
                    advance()
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{archive} is damaged ({error}); download it again.") from error


def extract_rar(archive: Path, folder: Path) -> None:
    """Extract a .rar with the first installed tool that can; see :func:`extract`."""
    complaints = []
    for tool, options in RAR_TOOLS.items():
        program = shutil.which(tool)
        if program is None:
            continue
        places = dict(archive=archive.resolve(), folder=folder.resolve())
        complaint = _run(
            [program, *(option.format(**places) for option in options)], archive, folder
        )
        if complaint is None:
            return
        complaints.append(f"{tool} said: {complaint}")
        shutil.rmtree(folder)
        folder.mkdir()
    if complaints:
        raise ValueError(
            f"{archive} could not be unpacked; is it complete? {'; '.join(complaints)}. "
            "(7-Zip of a Linux distribution cannot read .rar: sudo apt install unar.)"
        )
    raise RuntimeError(
        f"No tool for {archive} is installed: run `sudo apt install unar` (macOS: `brew install "
        "unar`, conda: `conda install -c conda-forge libarchive`), then the same command again."
    )


def _run(command: list[str], archive: Path, folder: Path) -> str | None:
    """Run a tool while a bar shows how much has come out; its complaint if it failed."""
    with size_bar(f"unpacking {archive.name}", archive.stat().st_size, folder) as update:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,  # so that it cannot wait for an answer
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        while True:
            try:
                _, complaint = process.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                update()
    if process.returncode == 0:
        return None
    lines = complaint.strip().splitlines() or [f"exit code {process.returncode}"]
    return lines[-1]
