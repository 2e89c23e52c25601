"""Decoded videos, made smaller, kept on disk (or in memory, where the folder is one in memory)."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import mmcv
import numpy as np
from filelock import FileLock

from .reader import UnreadableVideoError, VideoReader

# Numbers (float64) before the pixels: frames per second and the four sides of the array.
HEADER = 5


class ShrunkReader(VideoReader):
    """Another reader's frames, resized to a short side with their aspect ratio kept.

    The pixels are those of MMAction2's ``Resize(scale=(-1, short_side))``.
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
        """Every frame, (L, H, W, 3) uint8.

        Raises:
            UnreadableVideoError: If no frame can be decoded.
        """
        frames = [self._shrink(frame) for frame in self._reader]
        self._sync()
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
    """Frames of a video that is decoded already, (L, H, W, 3) uint8."""

    def __init__(
        self, name: str, frames: np.ndarray, avg_fps: float, promised_frames: int = 0
    ) -> None:
        super().__init__(name)
        self._frames = frames
        self.avg_fps = avg_fps
        self.num_frames = len(frames)
        self.promised_frames = promised_frames or len(frames)

    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """See :meth:`VideoReader.read`."""
        return {index: self._frames[index] for index in indices}


class CachedFrames(NamedTuple):
    """A decoded video: (L, H, W, 3) uint8 and its mean frames per second."""

    frames: np.ndarray
    avg_fps: float


class VideoCache:
    """Whole decoded videos as memory-mapped files in one folder, bounded in size.

    Any number of loader workers and ranks may share a folder: they read without a lock, and
    the system keeps one copy of a mapped file in memory for all. They write one at a time and
    under a temporary name, so a file is complete or not there. Nothing is ever removed: when
    a video does not fit, the cache is full and stays as it is.

    Args:
        folder: The folder, made if missing.
        max_bytes: Bound of the files' total size.

    Raises:
        ValueError: If max_bytes is below 1.
    """

    def __init__(self, folder: str | Path, max_bytes: int) -> None:
        if max_bytes < 1:
            raise ValueError(f"A video cache needs max_bytes of at least 1, but got {max_bytes}.")
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ledger = self.folder / "bytes"

    @staticmethod
    def key(path: str, **settings: Any) -> str:
        """Name of a local file under settings that decide on the pixels; new once it changes."""
        stat = os.stat(path)
        identity = [os.path.abspath(path), stat.st_size, stat.st_mtime_ns, settings]
        return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:40]

    def get(self, key: str) -> CachedFrames | None:
        """A video, its frames mapped read-only, or None."""
        path = self._path(key)
        try:
            avg_fps, *shape = np.fromfile(path, np.float64, HEADER)
        except FileNotFoundError:
            return None
        sides = tuple(int(side) for side in shape)
        frames = np.memmap(path, np.uint8, "r", offset=HEADER * 8, shape=sides)
        return CachedFrames(np.asarray(frames), float(avg_fps))

    def put(self, key: str, video: CachedFrames) -> bool:
        """Keep a video, unless it does not fit into ``max_bytes`` or onto the disk.

        Returns:
            Whether the video is in the cache now.
        """
        target = self._path(key)
        size = video.frames.nbytes + HEADER * 8
        # One process writes at a time, so one temporary name is enough, and what a killed
        # process has left there is overwritten.
        with FileLock(self.folder / "lock"):
            if target.exists():
                return True
            used = int(self._ledger.read_text()) if self._ledger.exists() else 0
            if used + size > self.max_bytes:
                return False
            try:
                with open(self.folder / "next.tmp", "wb") as file:
                    np.array([video.avg_fps, *video.frames.shape]).tofile(file)
                    video.frames.tofile(file)
                # The ledger first: who is killed in between leaves too much in it, not too little.
                (self.folder / "bytes.tmp").write_text(str(used + size))
                os.replace(self.folder / "bytes.tmp", self._ledger)
                os.replace(self.folder / "next.tmp", target)
            except OSError as error:
                # NumPy's error of a short write has no number.
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, None):
                    raise
                (self.folder / "next.tmp").unlink()
                return False
        return True

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.frames"
