"""Build an environment of other versions, run the quick tests in it, and record the result.

    python tools/dev/try_stack.py onedl
    python tools/dev/try_stack.py python312 --python /opt/python3.12/bin/python3 tests/models

Environments lie in build/stacks/NAME; an existing one is updated. The row of this name in
docs/versions.md is replaced: installed versions, tests, date and result. Further options of pip can
be given by environment variables (PIP_EXTRA_INDEX_URL).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "versions.md"
CONSTRAINTS = ROOT / "requirements" / "constraints.txt"
BEGIN = "<!-- rows: begin, written by tools/dev/try_stack.py -->"
END = "<!-- rows: end -->"
UPSTREAM = ("mmaction2", "mmengine", "mmcv-lite", "onedl-mmengine", "onedl-mmcv")
SHOWN = ("torch", "numpy", "opencv-python", "av", "faiss-cpu")
VERSIONS = """
import importlib.metadata, json, platform
found = {d.name.lower(): d.version for d in importlib.metadata.distributions()}
print(json.dumps(dict(found, python=platform.python_version())))
"""


class Row(NamedTuple):
    """Versions to try, as differences from the tested ones."""

    python: str = "3.11"
    extras: str = "cpu,collection,dev"
    #: Of these names pip takes what fits; None: of all but the upstreams and setuptools.
    free: tuple[str, ...] | None = ()
    more: tuple[str, ...] = ()


ROWS = {
    "tested": Row(),
    "onedl": Row(extras="onedl,collection,dev", more=("faiss-cpu",)),
    # The newest Python with the oldest NumPy, and matching versions.
    "numpy1": Row(
        "3.12",
        free=("numpy", "opencv-python", "opencv-contrib-python", "pyarrow"),
        more=("numpy<2", "pyarrow<26"),
    ),
    "python310": Row("3.10", free=None),
    "python312": Row("3.12"),
}


def build(row: Row, python: str, folder: Path) -> Path:
    """Install the versions of a row and return the path of its Python."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([python, "-m", "venv", folder], check=True)
    constraints = folder / "constraints.txt"
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if kept(line, row)]
    constraints.write_text("\n".join(lines) + "\n")
    own = folder / "bin" / "python"
    install = [str(own), "-m", "pip", "install", "-q", "-c", str(constraints)]
    subprocess.run([*install, "-e", f"{ROOT}[{row.extras}]", *row.more], check=True)
    return own


def kept(line: str, row: Row) -> bool:
    """Return whether a line of the constraints also applies to a row."""
    if not line or line.startswith("#"):
        return False
    name = Requirement(line).name
    return name in (*UPSTREAM, "setuptools") if row.free is None else name not in row.free


def entry(name: str, python: Path, tests: list[str], verdict: str) -> str:
    """Format a line of the table."""
    found = json.loads(subprocess.check_output([python, "-c", VERSIONS], text=True))
    versions = [f"{key} {found[key]}" for key in (*UPSTREAM, *SHOWN) if key in found]
    today = datetime.date.today().isoformat()
    what = " ".join(f"`{test}`" for test in tests) or "all quick tests"
    cells = (name, found["python"], ", ".join(versions), what, verdict, today)
    return f"| {' | '.join(cells)} |"


def write(name: str, line: str) -> None:
    """Write a line to the page, replacing an earlier one of this name."""
    before, rows, after = re.split(
        f"({re.escape(BEGIN)}.*{re.escape(END)})", PAGE.read_text(), flags=re.DOTALL
    )
    lines = [row for row in rows.splitlines() if not row.startswith(f"| {name} |")]
    lines.insert(-2, line)  # above the empty line before the end
    PAGE.write_text(before + "\n".join(lines) + after)


def main() -> int:
    """Try one row and return the exit status of pytest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=ROWS)
    parser.add_argument("tests", nargs="*", help="files and folders; default: all")
    parser.add_argument("--python", help="interpreter; default: pythonX.Y of the row")
    parser.add_argument("--jobs", default="auto", help="processes of pytest; default: all cores")
    args = parser.parse_intermixed_args()
    row = ROWS[args.name]
    python = build(row, args.python or f"python{row.python}", ROOT / "build" / "stacks" / args.name)
    chosen = ["-n", args.jobs, "-q", "-m", "not slow and not faults"]
    # PYTHONPATH may hold packages of another environment.
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-m", "pytest", *chosen, *args.tests],
        cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    print(done.stdout)
    if done.returncode in (0, 1):  # otherwise pytest did not finish
        verdict = re.sub(r"(, \d+ warnings?)? in .*", "", done.stdout.strip().splitlines()[-1])
        write(args.name, entry(args.name, python, args.tests, verdict))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
