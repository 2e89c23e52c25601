"""Running the command-line tools that ship inside an installed MMAction2."""

from __future__ import annotations

import runpy
import shlex
import sys
from pathlib import Path

import mmaction

from .progress import end_bars
from .ranks import lost_rank


def stock_tool(name: str) -> Path:
    """The script of a tool such as ``'train'`` of the installed MMAction2.

    Raises:
        FileNotFoundError: This installation of MMAction2 carries no tools.
    """
    package = Path(mmaction.__file__).parent
    # A wheel carries .mim; an editable installation has tools/ beside the package.
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

    Where it ends because another rank is gone, or by Ctrl-C, the last line says so.
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
