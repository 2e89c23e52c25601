"""Opening a video, decoded in an earlier epoch if possible."""

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
    """:class:`OpenVideo` for small datasets: from the second epoch on nothing is decoded.

    The first time a video is opened it is decoded as a whole, resized and written to ``path``;
    later its frames are mapped from there, and where one is damaged the video is decoded anew.
    Frames come resized in either case, also of videos that no longer fit, with the pixels of
    :class:`OpenVideo`, :class:`DecodeFrames` and ``Resize(scale=(-1, short_side))``. A video of 190
    frames of 171x128 takes 12 MB.

    Keys are those of :class:`OpenVideo`; raw frames are not cached.

    Args:
        path: Folder of the cache, on a local disk or in memory (``/dev/shm/...``);
            shared by all workers and ranks of the machine. To empty it, delete it.
        max_bytes: Bound of its size.
        short_side: Of the frames, in pixels.
        decoder: See :class:`OpenVideo`.
        num_threads: See :class:`OpenVideo`.

    Raises:
        ValueError: If max_bytes or short_side is less than 1, or raw frames are to be cached.
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
        # Loader workers inherit it, so that one of them says what all find.
        self._said = torch.zeros((), dtype=torch.bool).share_memory_()

    def open(self, results: dict) -> VideoReader:
        """Open the video that a sample names, or map what is cached of it."""
        if "filename" not in results:
            raise ValueError("CachedVideo caches video files, but the dataset lists raw frames.")
        filename = results["filename"]
        try:
            key = self._cache.key(filename, short_side=self.short_side, decoder=self.decoder)
        except FileNotFoundError as error:
            raise UnreadableVideoError(f"The video {filename} does not exist.") from error
        cached = self._cache.get(key)
        if cached is not None:
            return ArrayReader(filename, cached, reopen=lambda: self._decode_anew(results, key))
        reader = ShrunkReader(super().open(results), self.short_side)
        if self._full:
            return reader
        video = CachedFrames(reader.read_all(), reader.avg_fps)
        reader.close()
        self._full = not self._cache.put(key, video)
        if self._full and not self._said:
            self._said.fill_(True)
            print_log(
                f"The video cache {self.path} is full ({self.max_bytes} bytes), or "
                "its disk is: further videos are decoded each time. It keeps what other paths, "
                "sizes or changed files left in it: delete the folder to begin anew, or set a "
                "larger max_bytes.",
                logger="current",
                level=logging.WARNING,
            )
        return ArrayReader(filename, video, promised_frames=reader.promised_frames)

    def _decode_anew(self, results: dict, key: str) -> VideoReader:
        self._cache.drop(key)
        return self.open(results)
