"""The command-line options that all preparation scripts share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .probing import Settings


def _expect(right: bool, what: str, text: str) -> None:
    if not right:
        raise argparse.ArgumentTypeError(f"expected {what}, but got {text}")


def positive_int(text: str) -> int:
    """An argument that counts something."""
    _expect(int(text) >= 1, "at least 1", text)
    return int(text)


def positive_float(text: str) -> float:
    """An argument that measures something."""
    _expect(float(text) > 0, "more than 0", text)
    return float(text)


def share(text: str) -> float:
    """An argument in [0, 1]."""
    _expect(0 <= float(text) <= 1, "a number from 0 to 1", text)
    return float(text)


def num_cores() -> int:
    """Cores that this process may use; a container may often use fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def add_worker_options(parser: argparse.ArgumentParser, timeout: float) -> None:
    """Add ``--workers`` and ``--timeout`` with its default in seconds."""
    add = parser.add_argument
    add("--workers", type=positive_int, default=num_cores(), help="processes, of one thread each")
    add("--timeout", type=positive_float, default=timeout, help="seconds that a video may take")


def add_probe_options(parser: argparse.ArgumentParser) -> None:
    """Add what decides whether a video is usable."""
    add_worker_options(parser, timeout=60.0)
    add = parser.add_argument
    part = "leave out videos of which less than this part of the declared length decodes"
    add("--min-frames", type=positive_int, default=2, help="leave out videos of fewer frames")
    add("--min-share", type=share, default=0.9, help=part)
    add("--quarantine", type=Path, help="move broken videos there; without it they stay")


def settings_from(args: argparse.Namespace) -> Settings:
    """Settings of the options that :func:`add_probe_options` added."""
    return Settings(args.workers, args.timeout, args.min_frames, args.min_share, args.quarantine)


def run_tool(main: Callable[[Sequence[str] | None], int]) -> None:
    """Run a script's ``main``: bad input ends with one sentence, Ctrl-C with what to do next."""
    try:
        sys.exit(main(None))
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        sys.exit(130)
