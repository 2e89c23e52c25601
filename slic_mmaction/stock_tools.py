"""Running the command-line tools of an installed MMAction2."""

from __future__ import annotations

import runpy
import shlex
import sys
from pathlib import Path

import mmaction

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


def run_stock_tool(name: str) -> None:
    """Run a tool of the installed MMAction2 with this process's command line.

    If it ends because another rank is lost, or by Ctrl-C, the last line says so.
    """
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
