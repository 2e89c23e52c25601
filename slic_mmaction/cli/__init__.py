"""The command `slic`: from a folder of videos to an answer.

Every command is a thin door to a Python function; what takes long to import is imported by the
command that needs it.
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
    """Run the command; bad input ends with one sentence and exit code 2, Ctrl-C with 130."""
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
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # for the impatient: without a word
        _say_stopped()
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Ctrl-C. Modules that are being imported may catch anything, so then the process ends here."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _say_stopped()
            os._exit(_INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


def _say_stopped() -> None:
    resume = ["--resume"] * (sys.argv[1:2] == ["pretrain"] and "--resume" not in sys.argv)
    command = shlex.join(["slic", *sys.argv[1:], *resume])
    os.write(2, f"\nStopped. To go on: {command}\n".encode(errors="backslashreplace"))
