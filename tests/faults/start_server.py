"""Starts trainings that lose no time with imports: imports once, then forks for each.

Reads lines of JSON from its standard input, ``{"argv": [...], "log": PATH}``. Each becomes a
process of its own that runs ``tools/train.py`` with these arguments as a shell would, its output
going to PATH. Two lines of JSON answer: the process's id when it starts, and when it has ended
its exit code, negative for a signal.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

import matplotlib.pyplot  # noqa: F401  what takes time to import; nothing is used here
import mmengine.config.config
import mmengine.runner
import torch._dynamo
import torch.utils.tensorboard  # noqa: F401

import slic_mmaction  # noqa: F401

TRAIN = Path(__file__).parents[2] / "tools" / "train.py"


_format, _formatted = mmengine.config.config.FormatCode, {}


def format_once(text: str, **options: object) -> tuple:
    """Each checkpoint holds the config, whose formatting takes longer than the training."""
    if text not in _formatted:
        _formatted[text] = _format(text, **options)
    return _formatted[text]


def say(**message: int) -> None:
    print(json.dumps(message), flush=True)


def become_training(argv: list[str], log: str) -> None:
    """Give this fork the streams and the command line of a program of its own."""
    nothing, file = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = [str(TRAIN), *argv]


mmengine.config.config.FormatCode = format_once
for line in sys.stdin:
    request = json.loads(line)
    pid = os.fork()
    if pid == 0:
        become_training(**request)
        runpy.run_path(str(TRAIN), run_name="__main__")
        break
    say(pid=pid)
    say(code=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
