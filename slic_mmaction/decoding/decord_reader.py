"""Decoding with decord."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from .reader import UnreadableVideoError, VideoReader


class DecordReader(VideoReader):
    """Reads a video with decord, always forwards from its beginning.

    ``get_batch``, ``seek_accurate`` and ``skip_frames`` are never used. They jump to a key
    frame and count on from there, which is wrong where pictures shown before a key frame
    follow it in the file (AVI with B-frames, open groups of pictures, as x265 writes by
    default) and in files of a variable rate: they return neighbouring frames then (upstream
    issues 54 and 365). The price is that decord converts every picture on the way to RGB.

    Args:
        name (str): Path, for messages.
        source (str | bytes): The path, or the file's content.
        num_threads (int): Decoding threads.

    Raises:
        UnreadableVideoError: If it cannot be opened or has no video frames.
    """

    def __init__(self, name: str, source: str | bytes, num_threads: int = 1) -> None:
        super().__init__(name)
        import decord

        self._decord = decord
        # DECORDError is no RuntimeError, but some failures are one.
        self._errors = (decord.DECORDError, RuntimeError)
        self._source = source
        self._threads = num_threads
        self._open()
        self.num_frames = self.promised_frames = len(self._video)
        if self.num_frames < 1:
            raise UnreadableVideoError(f"The video {name} has no frames.")
        self.avg_fps = float(self._video.get_avg_fps())

    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """See :meth:`VideoReader.read`."""
        found: dict[int, np.ndarray] = {}
        try:
            for index in indices:
                if index < self._next:
                    self._open()
                while self._next <= index:
                    frame = self._video.next()
                    self._next += 1
                found[index] = frame.asnumpy()
        except StopIteration:
            self.num_frames = self._next
        except self._errors as error:
            raise UnreadableVideoError(
                f"The video {self.name} cannot be decoded by decord ({_first_line(error)})."
            ) from error
        return found

    def _open(self) -> None:
        source = io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source
        try:
            self._video = self._decord.VideoReader(source, num_threads=self._threads)
        except self._errors as error:
            raise UnreadableVideoError(
                f"The video {self.name} cannot be opened by decord ({_first_line(error)})."
            ) from error
        self._next = 0


def _first_line(error: Exception) -> str:
    """Its message without decord's stack trace in C++."""
    return str(error).strip().split("\n")[0]
