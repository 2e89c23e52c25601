"""Running the command-line tools of an installed MMAction2."""

from __future__ import annotations

import argparse
import runpy
import shlex
import sys
from pathlib import Path

import mmaction
from mmengine.config import Config

from .progress import end_bars
from .ranks import lost_rank


def stock_tool(name: str) -> Path:
    """Return the script of a tool of the installed MMAction2, such as ``'train'``.

    Raises:
        FileNotFoundError: If this installation of MMAction2 has no tools.
    """
    package = Path(mmaction.__file__).parent
    # A wheel contains .mim; an editable installation has tools/ beside the package.
    for folder in (package / ".mim", package.parent):
        script = folder / "tools" / f"{name}.py"
        if script.is_file():
            return script
    raise FileNotFoundError(
        f"MMAction2 at {package} has no tools/{name}.py; install it with "
        "'pip install mmaction2==1.2.0'."
    )


def resumable(arguments: list[str]) -> list[str]:
    """Return the arguments of the tool ``train``, with which ``--resume`` continues its own run.

    MMEngine resumes from ``load_from`` if it is given, too. The initial weights count only as long
    as the work directory has no checkpoint.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("config", nargs="?")
    parser.add_argument("--work-dir")
    parser.add_argument("--resume", nargs="?", const="auto")
    known, _ = parser.parse_known_args(arguments)
    if known.resume != "auto" or not any(a.startswith("load_from=") for a in arguments):
        return arguments
    work_dir = known.work_dir or Config.fromfile(known.config).get("work_dir")
    work_dir = work_dir or f"work_dirs/{Path(known.config).stem}"
    if not (Path(work_dir) / "last_checkpoint").is_file():
        return arguments
    return ["load_from=None" if a.startswith("load_from=") else a for a in arguments]


def run_stock_tool(name: str) -> None:
    """Run a tool of the installed MMAction2 with this process's command line.

    If it ends because another rank is lost, or by Ctrl-C, the last line says so.
    """
    if name == "train":
        sys.argv[1:] = resumable(sys.argv[1:])
    try:
        runpy.run_path(str(stock_tool(name)), run_name="__main__")
    except KeyboardInterrupt:
        resume = [] if name != "train" or "--resume" in sys.argv else ["--resume"]
        command = shlex.join(["python", *sys.argv, *resume])
        end_bars()
        print(f"\nStopped. To continue: {command}", file=sys.stderr)
        raise SystemExit(130) from None
    except RuntimeError as error:
        lost = lost_rank(error)
        if lost is None or lost is error:
            raise
        raise lost from error
