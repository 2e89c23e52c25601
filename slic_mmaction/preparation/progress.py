"""How far long work has come, and the time that is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress
from rich.console import Console

SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def progress_bar(doing: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Show progress on the standard error stream: a bar, or a line now and then if it is piped.

    Nothing is shown for a ``total`` of 0 steps; None is for a number that nobody knows. What is
    yielded is to be called after each step.
    """
    console = Console(stderr=True)
    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(),
               progress.MofNCompleteColumn(), progress.TextColumn("elapsed"),
               progress.TimeElapsedColumn(), progress.TextColumn("left"),
               progress.TimeRemainingColumn())  # fmt: skip
    hidden = total == 0 or not console.is_terminal
    said = time.monotonic()
    with progress.Progress(*columns, console=console, disable=hidden) as bar:
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
