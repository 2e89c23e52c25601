"""The base class of all readers of a video's frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace

import numpy as np

CLOCKLESS = 25.0
"""Frames per second of a source without timestamps, such as a folder of images."""


class UnreadableVideoError(RuntimeError):
    """Raised when a video is missing, empty, not a video, or has no frame that can be decoded.

    Examples:
        >>> from slic_mmaction.decoding import UnreadableVideoError, open_reader
        >>> try:
        ...     open_reader("videos/missing.mp4")
        ... except UnreadableVideoError as error:
        ...     print(error)
        The video videos/missing.mp4 does not exist.
    """


class VideoReader(ABC):
    """Base class of readers of an open video, which :func:`open_reader` returns.

    Iterating over it decodes every frame once, in order. Frame ``i``, from 0, is the i-th picture
    in the order of presentation, whatever the video's first timestamp. Every reader returns the
    same picture as decoding the whole file would.

    Args:
        name: The video's path, for messages.

    Attributes:
        num_frames: Number of frames. If a decoder only knows the header's number, it is corrected
            when :meth:`read` or an iteration has reached the end.
        promised_frames: Number of frames in the file's header, which is more than ``num_frames``
            if the file was cut off.
        avg_fps: Mean number of frames per second; 0 if it is unknown.

    Examples:
        >>> from slic_mmaction.decoding import open_reader
        >>> reader = open_reader("videos/walk_1.mp4")
        >>> sorted(reader.read([0, 10]))  # a dict of frames, by number
        [0, 10]
        >>> sum(1 for frame in reader)
        50
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.num_frames = 0
        self.promised_frames = 0
        self.avg_fps = 0.0

    @abstractmethod
    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """Decode frames.

        Args:
            indices: Frame numbers, ascending, each once.

        Returns:
            (H, W, 3) uint8 by number, in RGB, upright and of the same size. Frames that do not
            exist are left out, and ``num_frames`` is then corrected.

        Raises:
            UnreadableVideoError: If the decoder fails.
        """

    def stream(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield numbers and frames of :meth:`read` one by one as they are decoded.

        It is for long videos whose frames do not fit into memory. Frames of a damaged file may be
        in another order, each once.
        """
        for index in indices:
            yield from self.read([index]).items()

    def timeline(self) -> tuple[float, np.ndarray]:
        """Return the video at a constant rate, to convert seconds to frames.

        Returns:
            The rate in frames per second, and the number of the frame that is shown at each step:
            second ``t`` is step ``t * rate``. Of a video of constant rate, these are
            ``0..num_frames - 1``; of a variable one, :class:`PyAVReader` repeats or skips frames.
        """
        return self.avg_fps or CLOCKLESS, np.arange(self.num_frames)

    def __iter__(self) -> Iterator[np.ndarray]:
        number = 0
        while number < self.num_frames:
            yield from self.read([number]).values()
            number += 1

    def close(self) -> None:  # noqa: B027 - most readers hold nothing that must be closed
        """Close the file."""

    def frames(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Decode frames in any order, each once.

        A video that is shorter than its header says is looped, as short videos are: with its true
        length L, frame ``i`` becomes ``i mod L``.

        Args:
            indices: Frame numbers in any order, repeats allowed.

        Returns:
            An (H, W, 3) uint8 array for each index; repeats are the same read-only array.

        Raises:
            UnreadableVideoError: If no frame can be decoded.
        """
        asked = [int(i) for i in indices]
        found = self.read(sorted(set(asked)))
        missing = [i for i in set(asked) if i not in found]
        if missing:
            length = self.num_frames
            if length < 1:
                raise UnreadableVideoError(f"No frame of the video {self.name} can be decoded.")
            found.update(self.read(sorted({i % length for i in missing} - set(found))))
            found.update({i: found[i % length] for i in missing})
        for frame in found.values():
            frame.setflags(write=False)
        return [found[i] for i in asked]

    def get_batch(self, indices: Iterable[int]) -> SimpleNamespace:
        """Decode :meth:`frames` in decord's form, which MMAction2's inferencers expect.

        Returns:
            An object whose ``asnumpy()`` is (N, H, W, 3) uint8.
        """
        batch = np.stack(self.frames(indices))
        return SimpleNamespace(asnumpy=lambda: batch)
