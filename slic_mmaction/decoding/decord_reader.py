"""Decoding with decord."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from .container import display_matrix, may_split_fields, open_container, upright, video_streams
from .pyav_reader import PyAVReader
from .reader import UnreadableVideoError, VideoReader


class DecordReader(VideoReader):
    """Reader of a video with decord, always forwards from its beginning.

    decord's own ``get_batch``, ``seek_accurate`` and ``skip_frames`` are not used. They jump to a
    key frame and count from there, which gives neighbouring frames if pictures shown before a key
    frame follow it in the file (AVI with B-frames, open groups of pictures), and in files of
    variable frame rate (decord issues 54 and 365). Instead, decord converts every picture before
    the requested one to RGB.

    PyAV reads what decord does not report: the orientation, whether two packets are one frame, and
    whether decord would return wrong frames of the file, which is then refused.

    Args:
        name: Path, for messages.
        source: Path of the file, or its content.
        num_threads: Number of decoding threads.

    Raises:
        UnreadableVideoError: If the file cannot be opened, has no frames, or is refused.
    """

    def __init__(self, name: str, source: str | bytes, num_threads: int = 1) -> None:
        super().__init__(name)
        import decord

        self._decord = decord
        # DECORDError is not a RuntimeError, but some failures raise one.
        self._errors = (decord.DECORDError, RuntimeError)
        self._source = source
        self._threads = num_threads
        frames = self._read_with_pyav()
        self._open()
        self.avg_fps = float(self._video.get_avg_fps())
        self.num_frames = self.promised_frames = frames or len(self._video)
        if self.num_frames < 1:
            raise UnreadableVideoError(f"The video {name} has no frames.")

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
                found[index] = self._upright(frame.asnumpy())
        except StopIteration:
            self.num_frames = self._next
        except self._errors as error:
            raise self._failure("decoded", error) from error
        return found

    def _read_with_pyav(self) -> int:
        """Read the orientation; return the number of frames if decord would count packets."""
        import av

        container, stream = open_container(self.name, self._source)
        with container:
            kind = container.format.name
            several = len(video_streams(container)) > 1
            stream.thread_type = "NONE"
            try:
                frame = next(container.decode(stream), None)
            except av.FFmpegError:
                frame = None  # damaged: decord may still find something
            split = may_split_fields(stream)
        if several or kind == "mpegts":
            raise UnreadableVideoError(
                f"The file {self.name} has several video streams, and decord may not use the "
                "default one: use decoder 'pyav'."
                if several
                else f"The video {self.name} is an MPEG transport stream, of which decord loses "
                "the first frames: use decoder 'pyav'."
            )
        self._matrix = display_matrix(frame)
        # decord's FFmpeg applies the matrix of MP4 only, that of the fork decord2 every one
        # (decord ended with 0.6.0, decord2 began with 1.0.0). It rotates, but does not mirror.
        turned = "mov" in kind or not self._decord.__version__.startswith("0.")
        self._turns = round(frame.rotation / 90) if frame and turned else 0
        return PyAVReader(self.name, self._source).num_frames if split else 0

    def _upright(self, picture: np.ndarray) -> np.ndarray:
        height, width, channels = picture.shape
        if channels != 3:
            # decord reads the padding of a narrow picture's rows as a channel.
            picture = picture.reshape(height, -1)[:, : 3 * width].reshape(height, width, 3)
        return upright(np.rot90(picture, -self._turns), self._matrix)

    def _open(self) -> None:
        source = io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source
        try:
            self._video = self._decord.VideoReader(source, num_threads=self._threads)
        except self._errors as error:
            raise self._failure("opened", error) from error
        self._next = 0

    def _failure(self, what: str, error: Exception) -> UnreadableVideoError:
        reason = str(error).strip().split("\n")[0]  # without decord's stack trace in C++
        return UnreadableVideoError(
            f"The video {self.name} cannot be {what} by decord ({reason}): try decoder 'pyav', "
            "which supports more formats."
        )
