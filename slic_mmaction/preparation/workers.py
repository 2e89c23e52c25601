"""Worker processes that a bad file may crash or hang.

A segmentation fault in a decoder breaks a ``concurrent.futures.ProcessPoolExecutor`` as a
whole: all its pending calls fail and none is named as the culprit; nor can it stop one call
that hangs. Here each worker has one item at a time and a pipe of its own, so the item of a
worker that died or overran its time is known, and only that worker is replaced.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_READY = "ready"
_DONE: Any = object()


@dataclass(frozen=True)
class Failure:
    """Why a call gave no result.

    Args:
        reason (str): For a person.
        waited (float | None): Seconds waited, if it ran out of time.
        transient (bool): Whether another try may well succeed (a permission, a full disk).
    """

    reason: str
    waited: float | None = None
    transient: bool = False


def run_isolated(
    function: Callable[[Item], Result], items: Iterable[Item], num_workers: int, timeout: float
) -> Iterator[tuple[Item, Result | Failure]]:
    """Call a function on every item, in worker processes.

    Args:
        function (Callable): Importable by its name: a function of a module, or a
            ``functools.partial`` of one.
        items (Iterable): Its arguments.
        num_workers (int): Number of processes.
        timeout (float): Seconds that one call may take.

    Yields:
        tuple: An item and its result or :class:`Failure`, in the order of completion.

    Raises:
        RuntimeError: If a worker process cannot start.
    """
    context = _context(function)
    pending = iter(items)
    workers: list[_Worker] = []
    try:
        workers += (_Worker(context, function, item) for item in islice(pending, num_workers))
        while workers:
            for worker in _wait_for_news(workers):
                outcome = worker.outcome(timeout)
                if outcome is _READY:
                    continue
                yield worker.item, outcome
                workers.remove(worker)
                item = next(pending, _DONE)
                if item is _DONE:
                    worker.stop()
                elif worker.give(item, timeout):
                    workers.append(worker)
                else:
                    workers.append(_Worker(context, function, item))
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """One process and the item it works on."""

    def __init__(self, context: Any, function: Callable, item: Any) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function), daemon=True)
        self.process.start()
        theirs.close()
        # Starting takes seconds of imports, which are not the item's.
        self.deadline = float("inf")
        self.item = item
        self.pipe.send(item)

    def give(self, item: Any, timeout: float) -> bool:
        """Hand over the next item; False if the process is no more."""
        try:
            self.pipe.send(item)
        except OSError:
            self.stop()
            return False
        self.item = item
        self.deadline = time.monotonic() + timeout
        return True

    def outcome(self, timeout: float) -> Any:
        """Result, :class:`Failure` or ``_READY``; only asked for where there is news."""
        if not self.pipe.poll():
            self.stop()
            return Failure(f"took longer than {timeout:g} s", waited=timeout)
        try:
            message = self.pipe.recv()
        except (EOFError, OSError):
            started = self.deadline != float("inf")
            self.process.join()
            self.stop()
            cause = _cause_of_death(self.process.exitcode)
            if not started:
                raise RuntimeError(f"A worker process ended as it started ({cause}).") from None
            return Failure(f"crashed the process that worked on it ({cause})")
        if message == _READY:
            self.deadline = time.monotonic() + timeout
            return _READY
        return message[0]

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _wait_for_news(workers: list[_Worker]) -> list[_Worker]:
    """Wait until workers said something, died or overran their time, and list those."""
    patience = min(worker.deadline for worker in workers) - time.monotonic()
    limit = None if patience == float("inf") else max(patience, 0.0)
    talking = wait([worker.pipe for worker in workers], limit)
    now = time.monotonic()
    return [worker for worker in workers if worker.pipe in talking or worker.deadline <= now]


def _serve(pipe: Connection, function: Callable) -> None:
    """Main loop of a worker process; it ends when the other end of the pipe is closed."""
    # Ctrl-C is for the main process, which stops the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # FFmpeg's complaints about bad files would tear the progress display apart.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe.send(_READY)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            message = function(item)
        except Exception as error:
            # A ValueError is a sentence of ours; others need the name of their kind.
            named = str(error) if isinstance(error, ValueError) else f"{error!r}"
            message = Failure(named, transient=isinstance(error, (OSError, MemoryError)))
        pipe.send((message,))


def _end_with_parent() -> None:
    """A killed main process cannot stop a worker, and one that hangs would not notice."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    name = signal.Signals(-exit_code).name
    return f"{name}, out of memory?" if name == "SIGKILL" else name


def _context(function: Callable) -> Any:
    """Start method: fork from a server without threads where there is one, else spawn.

    A plain fork of the main process would copy the locks of its threads (the progress
    display is one). The server imports once what all workers need.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    module = getattr(getattr(function, "func", function), "__module__", None)
    context.set_forkserver_preload([name for name in (__name__, module) if name])
    return context
