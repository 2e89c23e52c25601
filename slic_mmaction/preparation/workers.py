"""Worker processes in which a crash or a hang affects a single call only."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import forkserver, resource_tracker
from typing import Any, NamedTuple, TypeVar

from pebble import ProcessExpired, ProcessPool

Item = TypeVar("Item")
Result = TypeVar("Result")
# Signals by which a user or the system ends a process, for reasons outside of its work.
ENDED_FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT")


class Failure(NamedTuple):
    """Failure of a call."""

    reason: str
    transient: bool = False  # whether another try may succeed (a time limit, a full disk)


def run_isolated(
    function: Callable[[Item], Result], items: Iterable[Item], num_workers: int, timeout: float
) -> Iterator[tuple[Item, Result | Failure]]:
    """Call a function on every item in worker processes.

    Args:
        function: Function of a module, or a ``functools.partial`` of one.
        items: Arguments of the calls.
        num_workers: Number of processes.
        timeout: Largest duration of a call in seconds.

    Yields:
        An item and its result or :class:`Failure`, in the order of completion.
    """
    pending = iter(items)
    context = worker_context(getattr(function, "func", function).__module__)
    pool = ProcessPool(num_workers, initializer=_start_worker, context=context)
    running: dict[concurrent.futures.Future, Item] = {}
    try:
        with starting_workers():
            assert pool.active  # reading this attribute starts the pool
        while True:
            # Each worker has one more item waiting, so that it is never idle.
            for item in islice(pending, 2 * num_workers - len(running)):
                running[pool.schedule(function, (item,), timeout=timeout)] = item
            if not running:
                return
            first = concurrent.futures.FIRST_COMPLETED
            for future in concurrent.futures.wait(running, return_when=first).done:
                yield running.pop(future), _outcome(future, timeout)
    finally:
        pool.stop()
        pool.join()


def _outcome(future: concurrent.futures.Future, timeout: float) -> Any:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, BrokenProcessPool):
        raise RuntimeError(f"The worker processes ended as they started ({error}).") from error
    if isinstance(error, ProcessExpired):
        code = error.exitcode
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if cause in ENDED_FROM_OUTSIDE:
            cause += ", out of memory?" if cause == "SIGKILL" else ""
            return Failure(f"the process that worked on it was ended ({cause})", transient=True)
        return Failure(f"crashed the process that worked on it ({cause})")
    if isinstance(error, concurrent.futures.TimeoutError) and "Task timeout" in error.args:
        return Failure(f"took longer than {timeout:g} s", transient=True)
    # The message of a ValueError or OSError is a sentence; others need the name of their class.
    plain = isinstance(error, (ValueError, OSError))
    reason = str(error) if plain else f"{type(error).__name__}: {error}"
    return Failure(reason, transient=isinstance(error, (OSError, MemoryError)))


def _start_worker() -> None:
    # pebble's handler is written in Python, which a hanging decoder never runs.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # FFmpeg's messages about bad files would break the progress display.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End a worker whose main process was killed, even if the worker hangs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def worker_context(*modules: str) -> Any:
    """Return a context that forks workers from a server with the given modules imported.

    The server has no threads.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *modules])
    return context


@contextmanager
def starting_workers() -> Iterator[None]:
    """Block Ctrl-C in processes of :func:`worker_context`, and delay it here while they start.

    A terminal sends Ctrl-C to all processes of a command. Workers that receive it print
    tracebacks: while they import modules, or look for queues that are gone. They are stopped by
    this process instead.
    """
    resource_tracker.ensure_running()  # otherwise, the server would remove the block
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()  # all workers inherit the block from it
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # Wait until it has imported all modules; this may be interrupted.
    multiprocessing.get_context("forkserver").Process(target=int, daemon=True).start()
    held: list[int] = []
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread:
        before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        if in_main_thread:
            signal.signal(signal.SIGINT, before)
    if held:
        signal.raise_signal(signal.SIGINT)
