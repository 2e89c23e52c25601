"""What a lent GPU machine lacks: list it, fetch it in transfers that fit, unpack it there.

    python benchmarks/gpu/carry.py                                    # the list
    python benchmarks/gpu/carry.py --fetch .carry --data ../shared/data/ucf101_6
    python3 benchmarks/gpu/carry.py --unpack .carry/* --target /tmp/carried    # on that machine

Wheels come from the package registry for that machine's Python and platform. Every folder
``.carry/N`` fits into one transfer beside the working tree; larger files are cut and joined again.
Runs with Python alone, since nothing else is there yet.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PYTHON = "3.12"
PLATFORMS = [f"manylinux_2_{n}_x86_64" for n in (28, 27, 24, 17)]
PLATFORMS += [f"manylinux{tag}_x86_64" for tag in ("2014", "2010", "1")]
MIB = 1 << 20
TRANSFER = 64 * MIB
# For names of files, and what else lies in the tree by then.
MARGIN = 1 * MIB
PART = re.compile(r"(.+)\.part(\d+)of(\d+)")


class Wheel(NamedTuple):
    """A package, why it is carried, and its version unless requirements/constraints.txt has it."""

    name: str
    purpose: str
    version: str | None = None


# Seen missing in the list of that machine's packages (of 2026-11-17); torch, torchvision, NumPy,
# SciPy, scikit-learn, OpenCV, matplotlib, rich, einops, tensorboard and pytest are there.
WHEELS = [
    Wheel("mmengine", "the runner"),
    Wheel("mmaction2", "recognizers and datasets"),
    Wheel("mmcv-lite", "transforms"),
    Wheel("addict", "mmengine"),
    Wheel("termcolor", "mmengine"),
    Wheel("yapf", "mmengine"),
    Wheel("platformdirs", "yapf", "4.14.5"),
    Wheel("av", "the fastest decoder; without it OpenCV decodes"),
    Wheel("decord", "to compare decoders"),
    Wheel(
        "faiss-cuda", "faiss for CUDA 13; without it those measurements are skipped", "1.14.1.post4"
    ),
]
LEFT_OUT = {
    "faiss-gpu 1.15.1": "129 MiB, and needs CUDA 12's runtime and cuBLAS; that machine has CUDA 13",
    "faiss-cuda 1.14.3": "built for CUDA 12.8",
}


def pinned(wheel: Wheel) -> str:
    """``name==version`` of a package."""
    if wheel.version is not None:
        return f"{wheel.name}=={wheel.version}"
    lines = (ROOT / "requirements/constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.split("==")[0] == wheel.name)


def download(requirement: str, folder: Path) -> Path:
    """Fetch the wheel of a package for the other machine, unless it is there.

    Raises:
        RuntimeError: If the registry has none, with what pip said.
    """
    name, version = requirement.split("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(folder.glob(pattern)):
        call = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        call += ["--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp"]
        call += [option for name in PLATFORMS for option in ("--platform", name)]
        done = subprocess.run(
            [*call, "--dest", str(folder), requirement], capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"No wheel of {requirement}:\n{done.stderr.strip()}")
    return next(folder.glob(pattern))


def pack_videos(data: Path, folder: Path) -> Path:
    """Put a folder of videos into one archive (videos do not compress)."""
    path = folder / f"{data.name}.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(data, data.name)
    return path


def tree_size() -> int:
    """Bytes of the files that travel anyway: tracked, and not ignored."""
    call = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(call, capture_output=True, text=True, check=True).stdout.split("\0")
    paths = [ROOT / name for name in names if name]
    return sum(path.stat().st_size for path in paths if path.is_file())


class Piece(NamedTuple):
    """A part of a file, in bytes from ``begin`` to ``end``; ``of`` parts make it whole."""

    path: Path
    number: int
    of: int
    begin: int
    end: int


def plan(sizes: Sequence[tuple[Path, int]], room: int) -> list[list[Piece]]:
    """Divide files among transfers of ``room`` bytes: in the order given, each where it fits first.

    Raises:
        ValueError: If there is no room at all.
    """
    if room <= 0:
        raise ValueError("The working tree alone fills a transfer: ignore or remove large files.")
    transfers: list[list[Piece]] = []
    free: list[int] = []
    for path, size in sizes:
        count = max(1, -(-size // room))
        bounds = [size * k // count for k in range(count + 1)]
        for number, (begin, end) in enumerate(zip(bounds, bounds[1:]), 1):
            fitting = (k for k, left in enumerate(free) if left >= end - begin)
            where = next(fitting, len(free))
            if where == len(free):
                transfers.append([])
                free.append(room)
            transfers[where].append(Piece(path, number, count, begin, end))
            free[where] -= end - begin
    return transfers


def write_piece(piece: Piece, folder: Path) -> None:
    """Copy a part of a file into the folder of a transfer."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "" if piece.of == 1 else f".part{piece.number}of{piece.of}"
    with open(piece.path, "rb") as source, open(folder / (piece.path.name + suffix), "wb") as file:
        source.seek(piece.begin)
        file.write(source.read(piece.end - piece.begin))


def fetch(folder: Path, data: Path | None) -> None:
    """Download, divide, and say which calls carry it."""
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    files = [download(pinned(wheel), downloads) for wheel in WHEELS]
    if data is not None:
        # Before faiss, which fewer stages want.
        files.insert(-1, pack_videos(data, downloads))
    room = TRANSFER - MARGIN - tree_size()
    for old in folder.glob("[0-9]*"):
        shutil.rmtree(old)
    for number, pieces in enumerate(plan([(f, f.stat().st_size) for f in files], room), 1):
        for piece in pieces:
            write_piece(piece, folder / str(number))
        size = sum(piece.end - piece.begin for piece in pieces)
        print(f"{folder}/{number}: {size / MIB:.1f} MiB")
        for piece in pieces:
            part = "" if piece.of == 1 else f" (part {piece.number} of {piece.of})"
            print(f"    {(piece.end - piece.begin) / MIB:6.2f} MiB  {piece.path.name}{part}")
    print(f"Beside the tree's {tree_size() / MIB:.1f} MiB, each in a call of its own: docs/gpu.md.")


def collected(folders: Sequence[Path], target: Path) -> Iterator[Path]:
    """Whole files out of the folders of transfers, cut ones joined in ``target``.

    What has not all its parts is told and left out.
    """
    parts: dict[tuple[str, int], dict[int, Path]] = {}
    for path in sorted(p for folder in folders for p in folder.iterdir() if p.is_file()):
        match = PART.fullmatch(path.name)
        if match is None:
            yield path
        else:
            parts.setdefault((match[1], int(match[3])), {})[int(match[2])] = path
    for (name, count), found in parts.items():
        if len(found) < count:
            print(f"{name} is left out: {len(found)} of its {count} parts are here.")
            continue
        with open(target / name, "wb") as file:
            for number in range(1, count + 1):
                file.write(found[number].read_bytes())
        yield target / name


def unpack(folders: Sequence[Path], target: Path) -> None:
    """Install wheels into ``target/site``, and videos into ``target/data``."""
    target.mkdir(parents=True, exist_ok=True)
    files = list(collected(folders, target))
    wheels = [str(path) for path in files if path.suffix == ".whl"]
    if wheels:
        call = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        call += ["--no-compile", "--no-cache-dir", "--upgrade", "--target", str(target / "site")]
        subprocess.run([*call, *wheels], check=True)
    for path in files:
        if path.suffix == ".tar":
            with tarfile.open(path) as archive:
                archive.extractall(target / "data", filter="data")
    print(f"unpacked {len(files)} files into {target}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fetch", type=Path, metavar="DIR", help="download and divide into DIR")
    parser.add_argument("--data", type=Path, help="with --fetch: a folder of videos to take along")
    parser.add_argument("--unpack", type=Path, nargs="+", metavar="DIR", help="transfers to unpack")
    parser.add_argument("--target", type=Path, default=Path("/tmp/carried"), help="with --unpack")
    args = parser.parse_args(argv)
    if args.fetch:
        fetch(args.fetch, args.data)
    elif args.unpack:
        unpack([folder for folder in args.unpack if folder.name.isdigit()], args.target)
    else:
        for wheel in WHEELS:
            print(f"{pinned(wheel):28s} {wheel.purpose}")
        for name, reason in LEFT_OUT.items():
            print(f"not {name}: {reason}")


if __name__ == "__main__":
    main()
