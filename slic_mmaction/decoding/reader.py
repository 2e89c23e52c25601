"""What every decoder offers: some frames of one video, by number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace

import numpy as np


class UnreadableVideoError(RuntimeError):
    """A video that is missing, empty, not a video, or from which no frame can be decoded."""


class VideoReader(ABC):
    """One open video. Iterating over it decodes every frame once, in order, in one pass.

    Frame ``i`` is the i-th picture of the video, from 0, in the order in which it is shown,
    wherever the video's clock begins. In a sound file that is what decoding from the beginning to
    the end hands out as number ``i``; however a reader gets there, it returns that picture.

    Args:
        name: The video's path, for messages.

    Attributes:
        num_frames: Number of frames. Where a decoder only knows what a header promises, set
            right as soon as :meth:`read` or iterating has run past the end.
        promised_frames: Number of frames by the file's header; more than ``num_frames`` if the
            file was cut off.
        avg_fps: Mean frames per second; 0 where a source has no clock.
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
            (H, W, 3) uint8, RGB, upright, all of one size, by number. Frames that do not exist
            are left out, and then ``num_frames`` is what does exist.

        Raises:
            UnreadableVideoError: If the decoder gives up.
        """

    def stream(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Frames of :meth:`read` one by one as they are decoded, with their numbers.

        For long videos, of which not all frames fit into memory. Those of a damaged file may come
        out of order, each once.
        """
        for index in indices:
            yield from self.read([index]).items()

    def __iter__(self) -> Iterator[np.ndarray]:
        number = 0
        while number < self.num_frames:
            yield from self.read([number]).values()
            number += 1

    def close(self) -> None:  # noqa: B027 - most readers hold nothing that must be closed
        """Let go of the file."""

    def frames(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Frames in the order asked for, each decoded once.

        A video with fewer frames than it promised is treated as one of its true length L, and
        looped as short videos are: frame ``i`` becomes ``i mod L``.

        Args:
            indices: Frame numbers in any order, repeats allowed.

        Returns:
            One array for each index; repeats are the same read-only array.

        Raises:
            UnreadableVideoError: If not a single frame can be decoded.
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
        """:meth:`frames` in decord's form, which MMAction2's inferencers expect.

        Returns:
            An object whose ``asnumpy()`` is (N, H, W, 3) uint8.
        """
        batch = np.stack(self.frames(indices))
        return SimpleNamespace(asnumpy=lambda: batch)
