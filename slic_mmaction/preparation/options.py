"""The command-line options that all preparation scripts share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .faults import Settings


def available_cores() -> int:
    """Number of cores that this process may use (a container often has fewer than the machine)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def positive_int(text: str) -> int:
    """An argument that counts something."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, but got {text}")
    return value


def positive_float(text: str) -> float:
    """An argument that measures something."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected more than 0, but got {text}")
    return value


def share(text: str) -> float:
    """An argument in [0, 1]."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, but got {text}")
    return value


def add_worker_options(parser: argparse.ArgumentParser, timeout: float) -> None:
    """Add ``--workers`` and ``--timeout`` with its default in seconds."""
    parser.add_argument(
        "--workers",
        type=positive_int,
        default=available_cores(),
        help="processes, of one thread each",
    )
    parser.add_argument(
        "--timeout", type=positive_float, default=timeout, help="seconds that one video may take"
    )


def add_probe_options(parser: argparse.ArgumentParser) -> None:
    """Add what decides whether a video is usable."""
    add_worker_options(parser, timeout=60.0)
    parser.add_argument(
        "--min-frames", type=positive_int, default=2, help="leave out videos of fewer frames"
    )
    parser.add_argument(
        "--min-share",
        type=share,
        default=0.9,
        help="leave out videos of which less than this part of the declared length decodes",
    )
    parser.add_argument(
        "--quarantine",
        type=Path,
        help="move broken videos into this folder; without it they stay where they are",
    )


def settings_from(args: argparse.Namespace) -> Settings:
    """Settings of the options that :func:`add_probe_options` added."""
    return Settings(args.workers, args.timeout, args.min_frames, args.min_share, args.quarantine)


def run_tool(main: Callable[[Sequence[str] | None], int]) -> None:
    """Run a script's ``main``: bad input ends with one sentence, Ctrl-C with what to do next."""
    try:
        code = main(None)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        code = 130
    sys.exit(code)
