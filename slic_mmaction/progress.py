"""Progress bars with the remaining time."""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TypeVar

from rich import progress
from rich.console import Console

SECONDS_BETWEEN_LINES = 10.0
SLOW_INTERVAL = 60.0  # between lines of work that takes hours
Item = TypeVar("Item")

_console = Console(
    stderr=True
)  # shared by all bars, so that nested bars are drawn in separate lines
_bars: list[progress.Progress] = []
_shown: ContextVar[bool] = ContextVar("shown", default=False)


@contextmanager
def progress_bar(
    doing: str, total: int | None, interval: float | None = None
) -> Iterator[Callable[[], None]]:
    """Show progress on standard error: a bar on a terminal, else a line at intervals.

    Args:
        doing: Description of the work.
        total: Number of steps; None if unknown. With 0, nothing is shown.
        interval: Seconds between lines; None for SECONDS_BETWEEN_LINES.

    Yields:
        A function to call after each step.
    """
    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(),
               progress.MofNCompleteColumn(), progress.TextColumn("elapsed"),
               progress.TimeElapsedColumn(), progress.TextColumn("left"),
               progress.TimeRemainingColumn())  # fmt: skip
    hidden = total == 0 or not _console.is_terminal
    seconds_between = SECONDS_BETWEEN_LINES if interval is None else interval
    said = time.monotonic()
    with (
        progress.Progress(
            *columns, console=_console, disable=hidden, transient=True, speed_estimate_period=300
        ) as bar,
        _listed(bar),
    ):
        task = bar.add_task(doing, total=total)
        if hidden and total is None:
            print(f"{doing} ...", file=sys.stderr, flush=True)

        def advance() -> None:
            nonlocal said
            bar.advance(task)
            if hidden and time.monotonic() - said >= seconds_between:
                said = time.monotonic()
                count, seconds = bar.tasks[task].completed, bar.tasks[task].time_remaining
                left = "" if seconds is None else f", about {duration(seconds)} left"
                of = "" if total is None else f" of {total}"
                print(f"{doing}: {count:.0f}{of}{left}", file=sys.stderr, flush=True)

        yield advance


@contextmanager
def _listed(bar: progress.Progress) -> Iterator[None]:
    _bars.append(bar)
    try:
        yield
    finally:
        _bars.remove(bar)


@atexit.register
def end_bars() -> None:
    """Remove all bars from the screen, before the last message of an interrupted program."""
    for bar in reversed(_bars):
        bar.stop()


@contextmanager
def show_progress(doing: str) -> Iterator[None]:
    """Show a :func:`progress_bar` for every :func:`track` called inside."""
    token = _shown.set(True)
    try:
        with progress_bar(doing, None):
            yield
    finally:
        _shown.reset(token)


def track(steps: Iterable[Item], total: int, doing: str) -> Iterator[Item]:
    """Iterate over steps, with a progress bar inside :func:`show_progress`."""
    shown = progress_bar(doing, total) if _shown.get() else nullcontext(lambda: None)
    with shown as advance:
        for step in steps:
            yield step
            advance()


def duration(seconds: float) -> str:
    """Format a number of seconds, such as ``45 s``, ``12 min`` or ``3 h 5 min``."""
    if seconds < 120:
        return f"{seconds:.{int(seconds < 10)}f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
