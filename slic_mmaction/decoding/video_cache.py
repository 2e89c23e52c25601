"""Decoded videos kept on disk, or in memory where the folder is a memory file system."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock

# Numbers (float64) before the pixels: frames per second and the four sides of the array.
HEADER = 5


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
        folder (str | Path): The folder, made if missing.
        max_bytes (int): Bound of the files' total size.

    Raises:
        ValueError: If max_bytes is below 1.
    """

    def __init__(self, folder: str | Path, max_bytes: int) -> None:
        if max_bytes < 1:
            raise ValueError(f"A video cache needs max_bytes of at least 1, but got {max_bytes}.")
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except ValueError as error:
            raise ValueError(
                f"The path of a video cache, {str(folder)!r}, has an {error}."
            ) from error
        self._ledger = self.folder / "bytes"

    @staticmethod
    def key(path: str, **settings: Any) -> str:
        """Name of a video under some settings; another one once the file has changed.

        Args:
            path (str): A local file.
            settings (Any): Whatever else decides on the pixels.

        Returns:
            str: Hexadecimal digits.
        """
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
        """Keep a video, unless it does not fit.

        Args:
            key (str): From :meth:`key`.
            video (CachedFrames): The video.

        Returns:
            bool: Whether the video is in the cache now.
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
            with open(self.folder / "next.tmp", "wb") as file:
                np.array([video.avg_fps, *video.frames.shape]).tofile(file)
                video.frames.tofile(file)
            # The ledger first: a process killed in between leaves too much in it, not too little.
            (self.folder / "bytes.tmp").write_text(str(used + size))
            os.replace(self.folder / "bytes.tmp", self._ledger)
            os.replace(self.folder / "next.tmp", target)
        return True

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.frames"
