"""Which videos of a training set cannot be read, known to all workers."""

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
    """More videos than allowed cannot be read."""


class BadVideos:
    """The unreadable videos of a training set, in shared memory.

    A bad video is neither a crash nor silence: it is logged once, with its path and the
    reason, and not opened again; whoever asked for it takes another. Marks are made by
    loader workers and seen by all of them and by the main process; ranks learn of each
    other's in :meth:`merge_ranks`.

    Args:
        videos: The N videos.
        max_ratio: Share of unreadable videos at which a run goes on.

    Attributes:
        unreadable: (N,) bool.
        short: (N,) bool, videos that hold fewer frames than their header promises.

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
        """Watch over the reading of video ``index``.

        Raises:
            UnreadableVideoError: If the video is or was unreadable.
            TooManyBadVideosError: If it is one too many.
        """
        if self.unreadable[index]:
            raise UnreadableVideoError(
                f"The video {video_name(self._videos, index)} could not be read before."
            )
        try:
            yield
        except (UnreadableVideoError, OSError) as error:
            self.unreadable[index] = True
            _say(f"Bad video, left out from now on: {error}")
            self.check()
            if isinstance(error, UnreadableVideoError):
                raise
            raise UnreadableVideoError(str(error)) from error

    def note_lost(self, index: int, results: dict) -> None:
        """Log a video once whose pipeline has :func:`lost_frames`."""
        message = lost_frames(video_name(self._videos, index), results)
        if message and not self.short[index]:
            self.short[index] = True
            _say(message)

    def merge_ranks(self) -> None:
        """Tell every rank which videos any could not read; called by all ranks together.

        Raises:
            TooManyBadVideosError: On every rank, if there are too many.
        """
        found = self.unreadable.to(torch.uint8)
        all_reduce(found, "max")
        self.unreadable.copy_(found)
        self.check()

    def check(self) -> None:
        """Stop a run that has too many unreadable videos.

        Raises:
            TooManyBadVideosError: With the list of them.
        """
        bad = self.unreadable.nonzero().flatten().tolist()
        if len(bad) > self.max_ratio * len(self.unreadable):
            names = "\n".join(video_name(self._videos, index) for index in bad)
            raise TooManyBadVideosError(
                f"{len(bad)} of {len(self.unreadable)} videos cannot be read, more than "
                f"max_bad_ratio={self.max_ratio} allows; the log says why. Repair them, take "
                f"them out of the annotation file, or raise max_bad_ratio:\n{names}"
            )


def lost_frames(name: str, results: dict) -> str | None:
    """Say that a video was shorter than its header says, if :class:`DecodeFrames` found it so."""
    lost = results.get("lost_frames", 0)
    if not lost:
        return None
    return (
        f"The video {name} lacks {lost} of the {results['total_frames'] + lost} frames that its "
        "header promises; it is taken as the shorter video it is."
    )


def _say(message: str) -> None:
    # MMEngine's loggers print nothing below ERROR on ranks other than 0.
    level = logging.WARNING if is_main_process() else logging.ERROR
    print_log(message, logger="current", level=level)
