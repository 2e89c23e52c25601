"""Frames made smaller as they are decoded, and frames that are in memory already."""

from __future__ import annotations

from collections.abc import Sequence

import mmcv
import numpy as np

from .reader import UnreadableVideoError, VideoReader

# Frames held at full size at once while a whole video is read.
CHUNK = 64


class ShrunkReader(VideoReader):
    """Another reader's frames, resized to a short side with their aspect ratio kept.

    The pixels are those of MMAction2's ``Resize(scale=(-1, short_side))``.

    Args:
        reader (VideoReader): The open video.
        short_side (int): In pixels.
    """

    def __init__(self, reader: VideoReader, short_side: int) -> None:
        super().__init__(reader.name)
        self._reader = reader
        self._short_side = short_side
        self._sync()
        self.avg_fps = reader.avg_fps

    def close(self) -> None:
        """Close the video."""
        self._reader.close()

    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """See :meth:`VideoReader.read`."""
        found = self._reader.read(indices)
        self._sync()
        return {index: self._shrink(frame) for index, frame in found.items()}

    def read_all(self) -> np.ndarray:
        """Every frame.

        Returns:
            np.ndarray: (L, H, W, 3) uint8.

        Raises:
            UnreadableVideoError: If no frame can be decoded.
        """
        frames: list[np.ndarray] = []
        while len(frames) < self.num_frames:
            begin, end = len(frames), min(len(frames) + CHUNK, self.num_frames)
            frames += self.read(range(begin, end)).values()
        if not frames:
            raise UnreadableVideoError(f"No frame of the video {self.name} can be decoded.")
        return np.stack(frames)

    def _sync(self) -> None:
        self.num_frames = self._reader.num_frames
        self.promised_frames = self._reader.promised_frames

    def _shrink(self, frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        size = mmcv.rescale_size((width, height), (np.inf, self._short_side))
        return mmcv.imresize(frame, size, interpolation="bilinear")


class ArrayReader(VideoReader):
    """Frames of a video that is decoded already.

    Args:
        name (str): The video's path, for messages.
        frames (np.ndarray): (L, H, W, 3) uint8.
        avg_fps (float): Mean frames per second.
        promised_frames (int, optional): By the file's header. Defaults to L.
    """

    def __init__(
        self, name: str, frames: np.ndarray, avg_fps: float, promised_frames: int | None = None
    ) -> None:
        super().__init__(name)
        self._frames = frames
        self.avg_fps = avg_fps
        self.num_frames = len(frames)
        self.promised_frames = promised_frames or len(frames)

    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """See :meth:`VideoReader.read`."""
        return {index: self._frames[index] for index in indices}
