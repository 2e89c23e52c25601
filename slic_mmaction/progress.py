"""Progress of a long search, shown only where a program asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")
Display = Callable[[Iterable, int, str], Iterable]

_display: ContextVar[Display | None] = ContextVar("display", default=None)


def track(iterable: Iterable[Item], total: int, description: str) -> Iterable[Item]:
    """The items of ``iterable``, counted on the display if :func:`show_progress` is active.

    Args:
        iterable: For example the blocks of a search, of similar cost.
        total: Number of items.
        description: What is being done, for a person.

    Returns:
        ``iterable`` itself where there is no display.
    """
    display = _display.get()
    return iterable if display is None else display(iterable, total, description)


@contextmanager
def show_progress(title: str, console: Console | None = None) -> Iterator[None]:
    """Show a bar with the time left for every :func:`track` called inside, on stderr.

    The first line is the title and the time so far, which is all there is while a library
    that cannot be tracked is at work. All lines vanish at the end; without a terminal there are
    none.

    Args:
        title: What is being done as a whole.
        console: Where to; None is stderr.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = console or Console(stderr=True)
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        progress.add_task(title, total=None)

        def display(iterable: Iterable, total: int, description: str) -> Iterator:
            task = progress.add_task(description, total=total)
            yield from progress.track(iterable, total=total, task_id=task)
            progress.remove_task(task)

        token = _display.set(display)
        try:
            yield
        finally:
            _display.reset(token)
