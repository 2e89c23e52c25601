"""Decoding with OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from .reader import UnreadableVideoError, VideoReader

# Files whose header holds the number of frames. For others (Matroska, WebM, MPEG-TS) OpenCV
# multiplies duration by mean rate, which can be several times too much.
COUNTED = (".avi", ".mp4", ".m4v", ".mov", ".3gp")


class OpenCVReader(VideoReader):
    """Reads a video with ``cv2.VideoCapture``, always forwards from its beginning.

    ``CAP_PROP_POS_FRAMES`` is never used: it computes a time from the frame number and the
    mean rate, and lands elsewhere in files of a variable rate or with guessed timestamps
    (upstream issue 9053).
    The number of frames is the header's, which OpenCV does not check; a file whose header
    has none is decoded once more to count them.

    Args:
        name (str): Path, for messages.
        source (str | bytes): The path; OpenCV cannot read from memory.
        num_threads (int): Decoding threads. OpenCV's own choice, one for each core, costs
            half as much CPU time again.

    Raises:
        UnreadableVideoError: If it cannot be opened or has no video frames.
        TypeError: If the source is not a path.
    """

    def __init__(self, name: str, source: str | bytes, num_threads: int = 1) -> None:
        super().__init__(name)
        if isinstance(source, bytes):
            raise TypeError(
                f"OpenCV reads local files only, but {name} comes from a storage backend; use "
                "decoder 'pyav' or 'decord'."
            )
        self._path = source
        self._threads = num_threads
        self._open()
        self.avg_fps = max(float(self._capture.get(cv2.CAP_PROP_FPS)), 0.0)
        self.num_frames = self._count()
        if self.num_frames < 1:
            raise UnreadableVideoError(f"The video {name} has no frames.")
        self.promised_frames = self.num_frames

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """See :meth:`VideoReader.read`."""
        found: dict[int, np.ndarray] = {}
        for index in indices:
            if index < self._next:
                self._open()
            while self._next <= index:
                if not self._capture.grab():
                    self.num_frames = self._next
                    return found
                self._next += 1
            readable, frame = self._capture.retrieve()
            if not readable:
                raise UnreadableVideoError(f"Frame {index} of {self.name} cannot be decoded.")
            found[index] = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        return found

    def _open(self) -> None:
        options = [cv2.CAP_PROP_N_THREADS, self._threads]
        self._capture = cv2.VideoCapture(self._path, cv2.CAP_FFMPEG, options)
        if not self._capture.isOpened():
            raise UnreadableVideoError(f"The video {self.name} cannot be opened by OpenCV.")
        self._next = 0

    def _count(self) -> int:
        promised = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if promised > 0 and Path(self._path).suffix.lower() in COUNTED:
            return promised
        frames = 0
        while self._capture.grab():
            frames += 1
        self._open()
        return frames
