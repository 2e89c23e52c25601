"""The common command-line options of the preparation scripts."""

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
    """Convert an argument to an integer of at least 1."""
    _expect(int(text) >= 1, "at least 1", text)
    return int(text)


def positive_float(text: str) -> float:
    """Convert an argument to a number above 0."""
    _expect(float(text) > 0, "more than 0", text)
    return float(text)


def share(text: str) -> float:
    """Convert an argument to a number in 0..1."""
    _expect(0 <= float(text) <= 1, "a number from 0 to 1", text)
    return float(text)


def num_cores() -> int:
    """Return the number of cores of this process, which may be fewer than the machine's."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def add_worker_options(parser: argparse.ArgumentParser, timeout: float) -> None:
    """Add ``--workers`` and ``--timeout`` with its default in seconds."""
    add = parser.add_argument
    add("--workers", type=positive_int, default=num_cores(), help="processes, of one thread each")
    add("--timeout", type=positive_float, default=timeout, help="seconds that a video may take")


def add_probe_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that decide whether a video is usable."""
    add_worker_options(parser, timeout=60.0)
    add = parser.add_argument
    part = "leave out videos of which less than this share of the declared frames can be decoded"
    add("--min-frames", type=positive_int, default=2, help="leave out videos with fewer frames")
    add("--min-share", type=share, default=0.9, help=part)
    add("--quarantine", type=Path, help="folder to move broken videos to (default: not moved)")


def settings_from(args: argparse.Namespace) -> Settings:
    """Return the settings from the options of :func:`add_probe_options`."""
    return Settings(args.workers, args.timeout, args.min_frames, args.min_share, args.quarantine)


def run_tool(main: Callable[[Sequence[str] | None], int]) -> None:
    """Run a script's ``main``, with a one-line message for bad input or Ctrl-C."""
    try:
        sys.exit(main(None))
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except KeyboardInterrupt:
        print("Stopped. The same command continues from here.", file=sys.stderr)
        sys.exit(130)
