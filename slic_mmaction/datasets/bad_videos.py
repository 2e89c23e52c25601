"""The unreadable videos of a training set, shared by all loader workers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.dist import all_reduce, is_main_process
from mmengine.logging import print_log

from ..decoding import UnreadableVideoError
from .videos import DistinctVideos, video_name


class TooManyBadVideosError(RuntimeError):
    """Raised when more videos than allowed cannot be read."""


class BadVideos:
    """The unreadable videos of a training set, in shared memory.

    An unreadable video is logged once, with its path and the reason, and is not opened again; the
    dataset replaces it by another one. Loader workers mark videos, and all workers and the main
    process see the marks. Ranks exchange them in :meth:`merge_ranks`.

    Args:
        videos: The N videos.
        max_ratio: Largest share of unreadable videos with which a run continues.

    Attributes:
        unreadable: (N,) bool.
        short: (N,) bool, whether a video has fewer frames than its header says.

    Raises:
        ValueError: If max_ratio is not in 0..1.
    """

    def __init__(self, videos: DistinctVideos, max_ratio: float) -> None:
        if not 0 <= max_ratio <= 1:
            raise ValueError(f"max_bad_ratio must be in 0..1, but is {max_ratio}.")
        self._videos = videos
        self.max_ratio = max_ratio
        self.unreadable = torch.zeros(len(videos), dtype=torch.bool).share_memory_()
        self.short = torch.zeros(len(videos), dtype=torch.bool).share_memory_()

    @contextmanager
    def reading(self, index: int) -> Iterator[None]:
        """Mark video ``index`` as unreadable if reading it fails inside this context.

        Raises:
            UnreadableVideoError: If the video is or was unreadable.
            TooManyBadVideosError: If too many videos are unreadable.
        """
        if self.unreadable[index]:
            raise UnreadableVideoError(
                f"The video {video_name(self._videos, index)} could not be read before."
            )
        try:
            yield
        except (UnreadableVideoError, OSError) as error:
            self.unreadable[index] = True
            _warn(f"Skipping an unreadable video from now on: {error}")
            self.check()
            if isinstance(error, UnreadableVideoError):
                raise
            raise UnreadableVideoError(str(error)) from error

    def note_lost(self, index: int, results: dict) -> None:
        """Log once that a video is shorter than its header says (:func:`lost_frames`)."""
        message = lost_frames(video_name(self._videos, index), results)
        if message and not self.short[index]:
            self.short[index] = True
            _warn(message)

    def merge_ranks(self) -> None:
        """Mark on every rank the unreadable videos of all ranks; every rank calls this.

        Raises:
            TooManyBadVideosError: On every rank, if there are too many.
        """
        found = self.unreadable.to(torch.uint8)
        all_reduce(found, "max")
        self.unreadable.copy_(found)
        self.check()

    def check(self) -> None:
        """Check that there are not too many unreadable videos.

        Raises:
            TooManyBadVideosError: If there are. The message lists them.
        """
        bad = self.unreadable.nonzero().flatten().tolist()
        if len(bad) > self.max_ratio * len(self.unreadable):
            names = "\n".join(video_name(self._videos, index) for index in bad)
            raise TooManyBadVideosError(
                f"{len(bad)} of {len(self.unreadable)} videos cannot be read, more than "
                f"max_bad_ratio={self.max_ratio} allows; the log has the reasons. Repair them, "
                f"remove them from the annotation file, or raise max_bad_ratio:\n{names}"
            )


def lost_frames(name: str, results: dict) -> str | None:
    """Return a message if :class:`DecodeFrames` found a video shorter than its header says."""
    lost = results.get("lost_frames", 0)
    if not lost:
        return None
    return (
        f"The video {name} lacks {lost} of the {results['total_frames'] + lost} frames that its "
        "header promises; only the frames that exist are used."
    )


def _warn(message: str) -> None:
    # MMEngine's loggers print nothing below ERROR on ranks other than 0.
    level = logging.WARNING if is_main_process() else logging.ERROR
    print_log(message, logger="current", level=level)
