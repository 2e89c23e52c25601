"""A cache of decoded and resized videos, on disk or in a folder in memory."""

from __future__ import annotations

import errno
import json
import logging
import mmap
import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import mmcv
import numpy as np
import torch
from filelock import FileLock
from mmengine.logging import print_log

from .reader import UnreadableVideoError, VideoReader

# The checksums of the L frames and the pixels follow. check_sum is that of the header and these.
HEADER = np.dtype([("check_sum", "u8"), ("key", "S40"), ("avg_fps", "f8"), ("shape", "i8", 4)])

# Errors of a full disk or a read-only folder. NumPy's error for an incomplete write has no number.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, None)
Reopen = Callable[[], VideoReader]


class ShrunkReader(VideoReader):
    """Reader that resizes the frames of another reader to a short side, keeping the aspect ratio.

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
        """Decode all frames (L, H, W, 3) uint8.

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


class CachedFrames(NamedTuple):
    """A decoded video (L, H, W, 3) uint8, its mean frame rate, and its checksums if stored."""

    frames: np.ndarray
    avg_fps: float
    check_sums: np.ndarray = np.empty(0, np.uint64)


class ArrayReader(VideoReader):
    """Reader of a decoded video, with another reader ``reopen()`` if a checksum is wrong."""

    def __init__(
        self, name: str, video: CachedFrames, promised_frames: int = 0, reopen: Reopen | None = None
    ) -> None:
        super().__init__(name)
        self._video = video
        self._reopen = reopen
        self.avg_fps = video.avg_fps
        self.num_frames = len(video.frames)
        self.promised_frames = promised_frames or self.num_frames

    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """See :meth:`VideoReader.read`."""
        found = {index: self._video.frames[index] for index in indices}
        sums = self._video.check_sums
        if self._reopen and any(check_sum(found[index]) != sums[index] for index in found):
            return self._reopen().read(indices)
        return found


@cache
def _factors(count: int) -> np.ndarray:
    return np.arange(1, 2 * count, 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def check_sum(content: np.ndarray) -> int:
    """Compute a 64-bit checksum of bytes, in a third of CRC-32's time.

    It is the sum of the 8-byte words, each times a different odd number, modulo 2**64. A change of
    one word, or of the order of words, changes it.
    """
    content = content.reshape(-1)
    words = content[: content.size // 8 * 8].view(np.uint64)
    return int((words * _factors(words.size)).sum()) ^ zlib.crc32(content[words.nbytes :].data)


class VideoCache:
    """Cache of whole decoded videos as memory-mapped files in a folder of bounded size.

    Loader workers and ranks may share a folder. They read without a lock, and the system has one
    copy of a mapped file in memory for all. They write one at a time under a temporary name, so a
    file is complete or does not exist. When a video does not fit, the cache is full and does not
    change any more; only damaged files are removed.

    Args:
        folder: Path of the folder, which is created if missing.
        max_bytes: Largest total size of the files in bytes.

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
        # Shared by all loader workers.
        self._num_damaged = torch.zeros((), dtype=torch.long).share_memory_()

    @staticmethod
    def key(path: str, **settings: Any) -> str:
        """Return the key of a local file, which changes with the file and the settings."""
        stat = os.stat(path)
        identity = [os.path.abspath(path), stat.st_size, stat.st_mtime_ns, settings]
        return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:40]

    def get(self, key: str) -> CachedFrames | None:
        """Return a video with read-only, unchecked frames, or None if it is not in the cache."""
        try:
            with open(self._path(key), "rb") as file:
                content = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), "u1")
            header = content[: HEADER.itemsize].view(HEADER)[0]
            start = HEADER.itemsize + 8 * int(header["shape"][0])
            if header["key"] != key.encode() or header["check_sum"] != check_sum(content[8:start]):
                raise ValueError
            sums = content[HEADER.itemsize : start].view(np.uint64)
            frames = content[start:].reshape(header["shape"])
            return CachedFrames(frames, float(header["avg_fps"]), sums)
        except FileNotFoundError:
            return None
        except ValueError:  # mmap and NumPy raise it for a file that was cut off
            self.drop(key)
            return None

    def drop(self, key: str) -> None:
        """Remove a damaged file, if possible; the 1st, 10th, 100th... removal is logged."""
        with suppress(OSError), FileLock(self.folder / "lock"):
            self._path(key).unlink(missing_ok=True)
            self._ledger.unlink(missing_ok=True)
        self._num_damaged += 1
        count = str(int(self._num_damaged))
        if count.rstrip("0") == "1":
            print_log(
                f"{self.folder}: {count} cached videos so far were damaged or of another version "
                "and are decoded again.",
                logger="current",
                level=logging.WARNING,
            )

    def put(self, key: str, video: CachedFrames) -> bool:
        """Store a video if it fits into ``max_bytes`` and the folder can be written.

        Returns:
            Whether the video is in the cache now.
        """
        target = self._path(key)
        sums = np.array([check_sum(frame) for frame in video.frames], np.uint64)
        header = np.array([(0, key, video.avg_fps, video.frames.shape)], HEADER)
        header["check_sum"] = check_sum(np.concatenate([header.view("u1")[8:], sums.view("u1")]))
        size = header.nbytes + sums.nbytes + video.frames.nbytes
        part = self.folder / "next.tmp"
        try:
            # One process writes at a time, so one temporary name is enough. The remains of a killed
            # process are overwritten.
            with FileLock(self.folder / "lock"):
                if target.exists():
                    return True
                used = self._used()
                if used + size > self.max_bytes:
                    return False
                with open(part, "wb") as file:
                    for array in (header, sums, video.frames):
                        array.tofile(file)
                # The ledger first: after a kill in between it is too large, but never too small.
                (self.folder / "bytes.tmp").write_text(str(used + size))
                os.replace(self.folder / "bytes.tmp", self._ledger)
                os.replace(part, target)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            with suppress(OSError):
                part.unlink()
            return False
        return True

    def _used(self) -> int:
        try:
            return int(self._ledger.read_text())
        except (FileNotFoundError, ValueError):  # a new folder, a file dropped, a damaged ledger
            return sum(path.stat().st_size for path in self.folder.glob("*.frames"))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.frames"
