"""A progress bar with the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress_bar(doing: str, total: int) -> Iterator[Callable[[], None]]:
    """Show progress on the standard error stream, so that output can be piped.

    Args:
        doing (str): What is being done.
        total (int): Number of steps; nothing is shown for none.

    Yields:
        Callable: To be called after each step.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=total == 0) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda: bar.advance(task)


@contextmanager
def size_bar(doing: str, total: int, folder: Path) -> Iterator[Callable[[], None]]:
    """Show how large a folder has grown, for work that says nothing of its progress.

    Args:
        doing (str): What is being done.
        total (int): Bytes that are expected; videos in an archive hardly shrink.
        folder (Path): The folder.

    Yields:
        Callable: To be called now and then.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=total)

        def update() -> None:
            files = (path for path in folder.rglob("*") if path.is_file())
            bar.update(task, completed=min(sum(path.stat().st_size for path in files), total))

        yield update
