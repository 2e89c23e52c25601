"""Progress of long work, with the remaining time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TypeVar

from rich import progress
from rich.console import Console

SECONDS_BETWEEN_LINES = 10.0
Item = TypeVar("Item")

_shown: ContextVar[bool] = ContextVar("shown", default=False)


@contextmanager
def progress_bar(doing: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Show progress on the standard error stream: a bar, or a line now and then if it is piped.

    Args:
        doing: What is being done.
        total: Number of steps; None if nobody knows it. Nothing is shown for 0.

    Yields:
        A function to call after each step.
    """
    console = Console(stderr=True)
    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(),
               progress.MofNCompleteColumn(), progress.TextColumn("elapsed"),
               progress.TimeElapsedColumn(), progress.TextColumn("left"),
               progress.TimeRemainingColumn())  # fmt: skip
    hidden = total == 0 or not console.is_terminal
    said = time.monotonic()
    with progress.Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task(doing, total=total)
        if hidden and total is None:
            print(f"{doing} ...", file=sys.stderr, flush=True)

        def advance() -> None:
            nonlocal said
            bar.advance(task)
            if hidden and time.monotonic() - said >= SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                count, seconds = bar.tasks[task].completed, bar.tasks[task].time_remaining
                left = "" if seconds is None else f", about {seconds / 60:.0f} min left"
                of = "" if total is None else f" of {total}"
                print(f"{doing}: {count:.0f}{of}{left}", file=sys.stderr, flush=True)

        yield advance


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
    """Iterate over the steps of long work, with a progress bar inside :func:`show_progress`."""
    shown = progress_bar(doing, total) if _shown.get() else nullcontext(lambda: None)
    with shown as advance:
        for step in steps:
            yield step
            advance()
