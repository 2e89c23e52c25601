"""Decoding the clips of the windows of videos, in one pass through each video."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmengine.registry import DefaultScope
from torch.utils.data import IterableDataset, get_worker_info

from ..decoding import UnreadableVideoError, VideoReader, open_reader
from ..transforms.view_frames import clip_frames

CLIPS = 4
"""Number of clips of a window. The mean of their features is the window's vector."""

_CLIPS_AT_ONCE = 32


class Sampling(NamedTuple):
    """Sampling of the frames of a clip.

    Attributes:
        frames: Number of frames of a clip.
        interval: Distance between frames. None spreads them over the whole window, as for 2D
            networks and ``UniformSample``; a window is then one clip.
        separate: Whether the network processes each frame alone, as 2D networks do.
    """

    frames: int
    interval: int | None
    separate: bool = False

    def clips(self, first: float, last: float, num_frames: int) -> list[np.ndarray]:
        """Return the 0-based frame numbers of the clips of a window.

        Args:
            first: Start of the window in frames.
            last: End of the window in frames.
            num_frames: Number of frames of the video, which is looped if shorter than a clip.
        """
        if self.interval is None:
            middles = first + (np.arange(self.frames) + 0.5) * (last - first) / self.frames
            return [np.minimum(middles.astype(int), num_frames - 1)]
        span = self.frames * self.interval
        middles = first + (np.arange(CLIPS) + 0.5) * (last - first) / CLIPS
        # Keep clips within the window and the video, if these are long enough.
        starts = np.clip(np.round(middles - span / 2), first, max(last - span, first))
        starts = np.clip(starts, 0, max(num_frames - span, 0)).astype(int)
        return [
            clip_frames(start, self.frames, self.interval, num_frames)
            for start in dict.fromkeys(starts.tolist())
        ]


def place_windows(duration: float, window: float, stride: float) -> list[tuple[float, float]]:
    """Return the start and end, in seconds, of the windows that cover a video.

    A video no longer than a window has one window. The last window ends with the video: with
    windows of 4 s and a stride of 2 s, a video of 7 s has the windows 0-4, 2-6 and 3-7 s.
    """
    if duration <= window:
        return [(0.0, duration)]
    count = int((duration - window) / stride + 1e-9) + 1
    starts = [i * stride for i in range(count)]
    if starts[-1] + window < duration - 1e-3:
        starts.append(duration - window)
    return [(start, start + window) for start in starts]


class Chunk(NamedTuple):
    """Clips of a video, or the end of a video.

    Attributes:
        path: Path of the video, relative to the folder.
        clips: Inputs of a network, one for each clip.
        sample: Data sample of one of the clips.
        windows: At the end of a video: start, end and the numbers of the clips of each window,
            counted over all chunks of the video.
        error: Reason why the video cannot be read, or ''.
        transient: Whether the error does not depend on the file's content.
    """

    path: str
    clips: list[torch.Tensor]
    sample: Any
    windows: list[tuple[float, float, list[int]]] | None = None
    error: str = ""
    transient: bool = False


class WindowClips(IterableDataset):
    """Dataset of the clips of all windows of videos, in chunks. Each worker reads some videos.

    Args:
        folder: Folder of the videos.
        paths: Paths relative to the folder.
        sampling: Sampling of the network.
        transforms: Configs of the transforms from decoded frames to packed inputs.
        window: Length of a window in seconds.
        stride: Time from the start of one window to the next, in seconds.
        span: Start and end, in seconds, of the only window of every video; None for all windows.
    """

    def __init__(
        self,
        folder: Path,
        paths: Sequence[str],
        sampling: Sampling,
        transforms: Sequence[Mapping],
        window: float = math.inf,
        stride: float = 1.0,
        span: tuple[float, float] | None = None,
    ) -> None:
        self.folder, self.paths, self.sampling = folder, paths, sampling
        self.window, self.stride, self.span = window, stride, span
        with DefaultScope.overwrite_default_scope("mmaction"):
            self._transforms = [TRANSFORMS.build(dict(step)) for step in transforms]

    def __iter__(self) -> Iterator[Chunk]:
        worker = get_worker_info()
        share = self.paths[worker.id :: worker.num_workers] if worker else self.paths
        for path in share:
            file = os.path.join(self.folder, path)
            try:
                with closing(open_reader(file)) as reader:
                    yield from self._chunks(path, reader)
            except UnreadableVideoError as error:
                yield Chunk(path, [], None, error=str(error), transient=not _opens(file))
            except OSError as error:  # a disk that fails
                yield Chunk(path, [], None, error=str(error), transient=True)

    def _chunks(self, path: str, reader: VideoReader) -> Iterator[Chunk]:
        rate, shown = reader.timeline()
        duration = len(shown) / rate
        if self.span is None:
            spans = place_windows(duration, self.window, self.stride)
        else:
            start, end = max(self.span[0], 0.0), min(self.span[1], duration)
            if start >= end:
                raise ValueError(
                    f"{path} lasts {duration:.2f} s and has no frames from {self.span[0]:g} to "
                    f"{self.span[1]:g} s: choose another start or end."
                )
            spans = [(start, end)]
        numbers: dict[tuple[int, ...], int] = {}  # windows that overlap share clips
        windows = []
        for start, end in spans:
            clips = self.sampling.clips(start * rate, end * rate, len(shown))
            own = [numbers.setdefault(tuple(shown[clip].tolist()), len(numbers)) for clip in clips]
            windows.append((start, end, own))
        order: list[int] = []
        chunk = Chunk(path, [], None)
        for number, frames in _complete(reader, list(numbers)):
            order.append(number)
            clip, sample = self._prepare(frames)
            chunk.clips.append(clip)
            chunk = chunk._replace(sample=sample)
            if len(chunk.clips) == _CLIPS_AT_ONCE:
                yield chunk
                chunk = Chunk(path, [], None)
        place = {number: i for i, number in enumerate(order)}
        yield chunk._replace(windows=[(s, e, [place[i] for i in own]) for s, e, own in windows])

    def _prepare(self, frames: list[np.ndarray]) -> tuple[torch.Tensor, Any]:
        separate = self.sampling.separate
        results: Any = dict(
            imgs=frames,
            modality="RGB",
            start_index=0,
            total_frames=len(frames),
            frame_inds=np.arange(len(frames)),
            clip_len=1 if separate else len(frames),
            num_clips=len(frames) if separate else 1,
            frame_interval=self.sampling.interval or 1,
            original_shape=frames[0].shape[:2],
            img_shape=frames[0].shape[:2],
        )
        for transform in self._transforms:
            results = transform(results)
        return results["inputs"], results["data_samples"]


def _opens(path: str) -> bool:
    """Return whether a file can be opened and read, whatever it holds."""
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError:
        return False
    return True


def _complete(
    reader: VideoReader, clips: Sequence[tuple[int, ...]]
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Yield the number and frames of each clip as soon as its last frame is decoded.

    Frames are freed after the last clip that needs them.
    """
    users: dict[int, list[int]] = {}
    for number, clip in enumerate(clips):
        for index in set(clip):
            users.setdefault(index, []).append(number)
    lacking = [len(set(clip)) for clip in clips]
    needed = {index: len(numbers) for index, numbers in users.items()}
    frames: dict[int, np.ndarray] = {}
    for index, frame in reader.stream(sorted(users)):
        frame.setflags(write=False)
        frames[index] = frame
        for number in users[index]:
            lacking[number] -= 1
            if not lacking[number]:
                yield number, [frames[i] for i in clips[number]]
                for i in set(clips[number]):
                    needed[i] -= 1
                    if not needed[i]:
                        del frames[i]
    # If a file has fewer frames than its header says, it is looped.
    frames.clear()
    for number in (number for number, count in enumerate(lacking) if count):
        yield number, reader.frames(clips[number])
