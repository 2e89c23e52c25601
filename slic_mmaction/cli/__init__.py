"""The command `slic` for folders of videos.

Every command calls a Python function. Slow imports happen inside the command that needs them.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from types import FrameType
from typing import NoReturn

_INTERRUPTED = 130


def main() -> NoReturn:
    """Run a command.

    On bad input, print one sentence and exit with code 2. On Ctrl-C, exit with code 130.
    """
    signal.signal(signal.SIGINT, _interrupt)
    code: int | str | None = 0
    try:
        from .app import app

        app()
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        print(f"slic: {' '.join(str(error).split())}", file=sys.stderr)
        code = 2
    if code == _INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends at once
        _print_stopped()
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise a KeyboardInterrupt, or exit during an import, where modules may catch it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _print_stopped()
            os._exit(_INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


def _print_stopped() -> None:
    resume = ["--resume"] * (sys.argv[1:2] == ["pretrain"] and "--resume" not in sys.argv)
    command = shlex.join(["slic", *sys.argv[1:], *resume])
    os.write(2, f"\nStopped. To continue: {command}\n".encode(errors="backslashreplace"))
