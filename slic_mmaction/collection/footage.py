"""Whether two videos show the same footage: what moves in them is compared, pixel by pixel.

Frames are taken at a fixed rate, so that copies with another frame rate agree; freed of uniform
bars; made grey and small; and each of its own mean brightness. Two videos are laid upon each other
at every offset in time, as trimmed copies need it, and mirrored. At an offset, what stands still
in the part that both have is subtracted from each, and the rest correlated: takes of one scene
share the background, but not the motion.
"""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

import cv2
import numpy as np
from scipy import fft

from ..decoding import UnreadableVideoError, VideoReader, open_reader

RATE = 10.0
"""Frames per second that are compared."""

SIDE = 16
"""Width and height of these frames."""

CLOCKLESS = 25.0  # frames per second of a source that has no clock, such as a folder of images
_LOOK = 64  # width and height at which bars are looked for
_UNIFORM = 12  # largest difference between the grey levels of a bar
_LARGEST_BAR = 0.4  # share of the width or height
_STILL = 0.5  # grey levels: what changes less than this is noise of the codec
_SHORTEST = 0.5  # share of the shorter video that both must have


class Footage(NamedTuple):
    """What is compared of a video.

    Attributes:
        frames: (T, 16, 16) uint8, ten frames per second.
        width: Of the video, in pixels.
        height: Of the video, in pixels.
        pixels: Inside of bars.
        seconds: Its length.
    """

    frames: np.ndarray
    width: int
    height: int
    pixels: float
    seconds: float


class Match(NamedTuple):
    """How well two videos agree where they agree best.

    Attributes:
        motion: Correlation of what moves, -1 to 1.
        still: Correlation of what stands still.
        offset: Seconds of the first video at which the second begins; negative if it begins before.
        seconds: Length of the part that both have.
        mirrored: Whether one of them had to be mirrored.
    """

    motion: float
    still: float
    offset: float
    seconds: float
    mirrored: bool


def read_footage(path: str) -> Footage:
    """Decode a video once, from its beginning to its end.

    Raises:
        UnreadableVideoError: If it cannot be read.
        OSError: If the disk fails.
    """
    with closing(open_reader(path)) as reader:
        return _read(reader)


def _read(reader: VideoReader) -> Footage:
    fps = reader.avg_fps or CLOCKLESS
    seconds = reader.num_frames / fps
    # The frame that is shown in the middle of each tenth of a second.
    moments = (np.arange(max(1, int(seconds * RATE))) + 0.5) / RATE
    numbers = np.minimum((moments * fps).astype(int), reader.num_frames - 1)
    looks: dict[int, np.ndarray] = {}
    size = (0, 0)
    for number, frame in reader.stream(sorted(set(numbers.tolist()))):
        size = frame.shape[:2]
        small = cv2.resize(frame, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA)
        looks[number] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    if not looks:
        raise UnreadableVideoError(f"No frame of the video {reader.name} can be decoded.")
    found = np.stack([looks[number] for number in numbers.tolist() if number in looks])
    top, bottom, left, right = bars(found)
    frames = [
        cv2.resize(look[top:bottom, left:right], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for look in found
    ]
    inside = (bottom - top) * (right - left) / _LOOK**2
    return Footage(np.stack(frames), size[1], size[0], inside * size[0] * size[1], seconds)


def bars(frames: np.ndarray) -> tuple[int, int, int, int]:
    """First and last+1 row, first and last+1 column inside of uniform bars of frames (T, H, W)."""
    low, high = frames.min(axis=0).astype(int), frames.max(axis=0).astype(int)
    edges: list[int] = []
    for axis in (1, 0):
        uniform = high.max(axis=axis) - low.min(axis=axis) <= _UNIFORM
        most = int(len(uniform) * _LARGEST_BAR)
        first = next((i for i in range(most) if not uniform[i]), 0)
        last = next((i for i in range(most) if not uniform[-1 - i]), 0)
        edges += [first, len(uniform) - last]
    return edges[0], edges[1], edges[2], edges[3]


def compare(a: Footage, b: Footage) -> Match:
    """Lay two videos upon each other at every offset, mirrored too, and take the best."""
    return max(
        _align(a.frames, b.frames, mirrored=False),
        _align(a.frames, b.frames[:, :, ::-1], mirrored=True),
    )


def _align(a: np.ndarray, b: np.ndarray, mirrored: bool) -> Match:
    """Best offset of frames (S, H, W) and (T, H, W), by sums over the part that both have."""
    a, b = _prepared(a), _prepared(b)
    shortest = max(2, round(_SHORTEST * min(len(a), len(b))))
    # Offsets in frames of a at which b begins, that leave enough in common.
    offsets = np.arange(shortest - len(b), len(a) - shortest + 1)
    if not len(offsets):
        return Match(0.0, 0.0, 0.0, 0.0, mirrored)
    first, last = np.maximum(offsets, 0), np.minimum(offsets + len(b), len(a))
    count = (last - first).astype(float)
    sum_a, sum_b = _sums(a, first, last), _sums(b, first - offsets, last - offsets)
    mean_a, mean_b = sum_a / count[:, None], sum_b / count[:, None]
    size = fft.next_fast_len(len(a) + len(b), real=True)
    spectrum = fft.rfft(a, size, axis=0) * fft.rfft(b, size, axis=0).conj()
    products = fft.irfft(spectrum.sum(axis=1), size)[offsets]
    energy_a = _sums((a * a).sum(1, keepdims=True), first, last)[:, 0] / count
    energy_b = _sums((b * b).sum(1, keepdims=True), first - offsets, last - offsets)[:, 0] / count
    moving_a = energy_a - (mean_a * mean_a).sum(1)
    moving_b = energy_b - (mean_b * mean_b).sum(1)
    shared = (mean_a * mean_b).sum(1)
    noise = _STILL**2 * a.shape[1]
    motion = (products / count - shared) / np.sqrt(
        np.maximum(moving_a, noise) * np.maximum(moving_b, noise)
    )
    best = int(motion.argmax())
    lengths = np.sqrt((mean_a[best] ** 2).sum() * (mean_b[best] ** 2).sum())
    still = shared[best] / max(lengths, noise)
    begin, length = float(offsets[best] / RATE), float(count[best] / RATE)
    return Match(float(motion[best]), float(still), begin, length, mirrored)


def _prepared(frames: np.ndarray) -> np.ndarray:
    """Frames as rows (T, H * W) without their mean brightness."""
    rows = frames.reshape(len(frames), -1).astype(np.float64)
    return rows - rows.mean(axis=1, keepdims=True)


def _sums(rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Sums of rows first..last-1 for each pair of numbers."""
    totals = np.concatenate([np.zeros((1, rows.shape[1])), rows.cumsum(axis=0)])
    return totals[last] - totals[first]
