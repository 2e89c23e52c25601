"""Opening a video from a cache of decoded frames."""

from __future__ import annotations

import logging

import torch
from mmaction.registry import TRANSFORMS
from mmengine.logging import print_log

from ..decoding import UnreadableVideoError, VideoReader
from ..decoding.choice import RAW_FRAMES
from ..decoding.video_cache import ArrayReader, CachedFrames, ShrunkReader, VideoCache
from .open_video import OpenVideo


@TRANSFORMS.register_module()
class CachedVideo(OpenVideo):
    """:class:`OpenVideo` with a cache for small datasets, which decodes each video once.

    When a video is opened for the first time, all its frames are decoded, resized and written to
    ``path``. Later, its frames are memory-mapped from there; a damaged file is decoded again.
    Frames are always resized, also those of videos that do not fit into the cache, with the same
    pixels as by :class:`OpenVideo`, :class:`DecodeFrames` and ``Resize(scale=(-1, short_side))``.
    A video of 190 frames of 171x128 pixels takes 12 MB.

    Keys are those of :class:`OpenVideo`. Raw frames are not cached.

    Args:
        path: Folder of the cache, on a local disk or in memory (``/dev/shm/...``), shared by all
            workers and ranks of the machine. Delete it to empty the cache.
        max_bytes: Largest size of the cache in bytes.
        short_side: Short side of the cached frames in pixels.
        decoder: See :class:`OpenVideo`.
        num_threads: See :class:`OpenVideo`.

    Raises:
        ValueError: If max_bytes or short_side is less than 1, or the decoder is for raw frames.

    Examples:
        >>> from mmaction.registry import TRANSFORMS
        >>> cache = dict(type="CachedVideo", path="cache", max_bytes=2**30, short_side=24)
        >>> results = TRANSFORMS.build(cache)(dict(filename="videos/walk_1.mp4"))
        >>> next(iter(results["video_reader"])).shape  # a frame of 32 x 40 pixels, resized
        (24, 30, 3)
    """

    def __init__(
        self,
        path: str,
        max_bytes: int,
        short_side: int = 128,
        decoder: str = "auto",
        num_threads: int = 1,
    ) -> None:
        super().__init__(decoder, num_threads)
        if short_side < 1:
            raise ValueError(f"CachedVideo needs short_side of at least 1, but got {short_side}.")
        if decoder == RAW_FRAMES:
            raise ValueError("CachedVideo caches video files; raw frames need no cache.")
        self.path = path
        self.max_bytes = max_bytes
        self._cache = VideoCache(path, max_bytes)
        self.short_side = short_side
        self._full = False
        # Shared by all loader workers, so that only one of them logs the warning.
        self._warned = torch.zeros((), dtype=torch.bool).share_memory_()

    def open(self, results: dict) -> VideoReader:
        """Open a sample's video, or map its cached frames."""
        if "filename" not in results:
            raise ValueError("CachedVideo caches video files, but the dataset lists raw frames.")
        filename = results["filename"]
        try:
            key = self._cache.key(filename, short_side=self.short_side, decoder=self.decoder)
        except FileNotFoundError as error:
            raise UnreadableVideoError(f"The video {filename} does not exist.") from error
        cached = self._cache.get(key)
        if cached is not None:
            return ArrayReader(filename, cached, reopen=lambda: self._decode_again(results, key))
        reader = ShrunkReader(super().open(results), self.short_side)
        if self._full:
            return reader
        video = CachedFrames(reader.read_all(), reader.avg_fps)
        reader.close()
        self._full = not self._cache.put(key, video)
        if self._full and not self._warned:
            self._warned.fill_(True)
            print_log(
                f"The video cache {self.path} is full ({self.max_bytes} bytes), its disk is full, "
                "or it is read-only: further videos are decoded each time. Delete the folder, "
                "which may hold frames of other paths, sizes or changed files, or set a larger "
                "max_bytes.",
                logger="current",
                level=logging.WARNING,
            )
        return ArrayReader(filename, video, promised_frames=reader.promised_frames)

    def _decode_again(self, results: dict, key: str) -> VideoReader:
        self._cache.drop(key)
        return ShrunkReader(super().open(results), self.short_side)
