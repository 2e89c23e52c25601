"""A sign of life while the main thread is busy, so that waiting ranks need not wait for days."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType


class Heartbeat:
    """Calls ``beat`` in a thread every ``interval`` seconds, within a ``with`` block.

    The thread runs whenever the main thread waits or computes outside of Python. A machine
    that has stopped, or a process, sends nothing.

    Args:
        beat: Sends the sign; an error of it ends the beating, and the main thread meets the
            same error when it sends something itself.
        interval: Seconds.

    Attributes:
        pause (Lock): Held while the main thread uses the connection itself.
    """

    def __init__(self, beat: Callable[[], None], interval: float) -> None:
        self.pause = threading.Lock()
        self._beat = beat
        self._interval = interval
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._interval):
            with self.pause:
                if self._done.is_set():
                    return
                try:
                    self._beat()
                except RuntimeError:
                    return
