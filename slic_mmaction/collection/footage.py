"""Whether two videos show the same footage: what moves in them is compared, pixel by pixel.

Pictures are taken at a fixed rate, so that copies with another frame rate agree; freed of uniform
bars; made grey and small; and each of mean brightness 0. Two videos are laid upon each other at
every offset in time, as trimmed copies need it, and mirrored. At an offset, what stands still in
the part that both have is subtracted from each, and the rest correlated: takes of one scene share
the background, but not the motion. Who does the same thing again and again agrees with another
take of it as well, but then the video agrees with itself at other offsets, too: a copy must agree
much better than that, and in what changes quickly as well.
"""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

import cv2
import numpy as np
from scipy import fft
from scipy.ndimage import uniform_filter1d

from ..decoding import UnreadableVideoError, VideoReader, open_reader

RATE = 10.0
"""Pictures per second that are compared."""

SIDE = 12
"""Their width and height."""

_CLOCKLESS = 25.0  # frames per second of a source that has no clock, such as a folder of images
_LOOK = 64  # width and height at which bars are looked for
_BAR = (20.0, 0.08)  # range within a bar: at most these grey levels, and this share of the range
_LARGEST_BAR = 0.4  # share of the width or height
_LOOKS_FOR_BARS = 100
_NOISE = 0.3**2  # squared grey levels: changes of codecs
_SHARED, _SHARED_WITH_ITSELF = 0.6, 0.4  # share of the shorter video that an offset must leave
_REPEATED_AFTER = 0.4  # seconds
_AGREEMENT = 0.8  # least correlation of what moves
_BETTER = 0.25  # largest share of 1 - correlation that is left of a video with itself
_STILL = 0.5  # least correlation of what stands still
_QUICK = 0.6  # least correlation of what changes quickly
_SLOW = 5  # pictures: what changes more slowly is left out of that
_QUICK_NOISE = 0.4**2  # squared grey levels: with less than this there is nothing to correlate


class Footage(NamedTuple):
    """What is compared of a video.

    Attributes:
        views: (T, 12, 12) float16 pictures, ten per second, inside of bars; and, if there are any,
            with them, since what looks like a bar may be a dark part of the scene.
        repetition: Correlation with itself at another offset, at best.
        width: Of the video, in pixels.
        height: Of the video, in pixels.
        pixels: Number of them inside of bars.
        seconds: Its length.
    """

    views: list[np.ndarray]
    repetition: float
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
        quick: Correlation of what changes within half a second; 1 if nothing does.
        repetition: Largest correlation of either with itself at another offset.
    """

    motion: float
    still: float
    offset: float
    seconds: float
    mirrored: bool
    quick: float
    repetition: float

    @property
    def is_copy(self) -> bool:
        """Whether both show the same footage."""
        return (
            self.motion >= _AGREEMENT
            and 1 - self.motion <= _BETTER * (1 - self.repetition)
            and self.still >= _STILL
            and self.quick >= _QUICK
        )


def read_footage(path: str) -> Footage:
    """Decode a video once, from its beginning to its end.

    Raises:
        UnreadableVideoError: If it cannot be read.
        OSError: If the disk fails.
    """
    with closing(open_reader(path)) as reader:
        return _read(reader)


def _read(reader: VideoReader) -> Footage:
    fps = reader.avg_fps or _CLOCKLESS
    seconds = reader.num_frames / fps
    # Between two frames a picture is their mean, as near as it is to each.
    place = np.minimum(np.arange(max(1, int(seconds * RATE))) / RATE * fps, reader.num_frames - 1)
    before, after = np.floor(place).astype(int), np.ceil(place).astype(int)
    looks: dict[int, np.ndarray] = {}
    height = width = 0
    for number, frame in reader.stream(np.unique([before, after]).tolist()):
        height, width = frame.shape[:2]
        small = cv2.resize(frame, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA)
        looks[number] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    pairs = [i for i in range(len(place)) if before[i] in looks and after[i] in looks]
    if not pairs:
        raise UnreadableVideoError(f"No frame of the video {reader.name} can be decoded.")
    top, bottom, left, right = bars(np.stack(list(looks.values())))
    share = (bottom - top) * (right - left) / _LOOK**2
    insides = [slice(top, bottom), slice(left, right)], [slice(None), slice(None)]
    views = []
    for rows, columns in insides if share < 1 else insides[:1]:
        small_ones = {
            number: cv2.resize(look[rows, columns], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            for number, look in looks.items()
        }
        first = np.stack([small_ones[before[i]] for i in pairs]).astype(np.float32)
        second = np.stack([small_ones[after[i]] for i in pairs]).astype(np.float32)
        weight = (place - before)[pairs, None, None].astype(np.float32)
        views.append((first + weight * (second - first)).astype(np.float16))
    return Footage(views, repetition(views[0]), width, height, share * width * height, seconds)


def bars(frames: np.ndarray) -> tuple[int, int, int, int]:
    """First and last+1 row, first and last+1 column inside of uniform bars of frames (T, H, W)."""
    frames = frames[:: -(-len(frames) // _LOOKS_FOR_BARS)]
    darkest, brightest = np.quantile(frames, [0.01, 0.99])
    largest = min(_BAR[0], _BAR[1] * (brightest - darkest))
    low, high = np.quantile(frames, [0.02, 0.98], axis=0)
    edges: list[int] = []
    for axis in (1, 0):
        uniform = high.max(axis=axis) - low.min(axis=axis) <= largest
        most = int(len(uniform) * _LARGEST_BAR)
        first = next((i for i in range(most + 1) if not uniform[i]), 0)
        last = next((i for i in range(most + 1) if not uniform[-1 - i]), 0)
        edges += [first, len(uniform) - last]
    return edges[0], edges[1], edges[2], edges[3]


def summary(footage: Footage) -> np.ndarray:
    """What a video looks like on the whole: (2, 288), of its pictures and of mirrored ones.

    The mean of all pictures and how much each place changes, both without their mean, of length 1.
    """
    pictures = footage.views[0].astype(np.float32)
    pictures = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    parts = []
    for part in (pictures.mean(axis=0), pictures.std(axis=0)):
        centred = part - part.mean()
        parts.append(centred / max(float(np.linalg.norm(centred)), 1e-6))
    return np.stack([np.ravel(parts), np.ravel([part[:, ::-1] for part in parts])])


def compare(a: Footage, b: Footage) -> Match:
    """Lay two videos upon each other at every offset, mirrored too, and take the best."""
    repeated = max(a.repetition, b.repetition)
    return max(
        _laid_upon(_prepared(first), _prepared(second[:, :, ::step]), step < 0, repeated)
        for first in a.views
        for second in b.views
        for step in (1, -1)
    )


def _laid_upon(a: np.ndarray, b: np.ndarray, mirrored: bool, repetition: float) -> Match:
    """The best of all offsets of rows (S, P) and (T, P)."""
    offsets, count, motion, still = _correlations(a, b, _SHARED)
    best = int(motion.argmax())
    offset, common = int(offsets[best]), int(count[best])
    first, second = max(offset, 0), max(-offset, 0)
    quick = _quick(a[first : first + common], b[second : second + common])
    values = float(motion[best]), float(still[best])
    return Match(*values, offset / RATE, common / RATE, mirrored, quick, repetition)


def _quick(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of what changes quickly in rows (T, P), laid upon each other."""
    a, b = (rows - uniform_filter1d(rows, _SLOW, axis=0) for rows in (a, b))
    energy_a, energy_b = (a * a).mean(), (b * b).mean()
    if min(energy_a, energy_b) < _QUICK_NOISE:
        return 1.0
    return float((a * b).mean() / np.sqrt(energy_a * energy_b))


def repetition(frames: np.ndarray) -> float:
    """Largest correlation of frames (T, H, W) with themselves, 0.4 s later or more; at least 0."""
    rows = _prepared(frames)
    offsets, _, motion, _ = _correlations(rows, rows, _SHARED_WITH_ITSELF)
    return float(motion[offsets >= _REPEATED_AFTER * RATE].max(initial=0.0))


def _prepared(frames: np.ndarray) -> np.ndarray:
    """Frames as rows (T, H * W) float64 without their mean brightness."""
    rows = frames.reshape(len(frames), -1).astype(np.float64)
    return rows - rows.mean(axis=1, keepdims=True)


def _correlations(
    a: np.ndarray, b: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Correlations of rows (S, P) and (T, P) at all offsets that leave enough in common.

    Row i of ``b`` is laid upon row i + offset of ``a``. All offsets are done at once, by sums of
    the part that both have.

    Returns:
        Offsets (N,), numbers of rows in common, and correlations of what moves and of what does
        not, each (N,).
    """
    shared = max(1, round(share * min(len(a), len(b))))
    offsets = np.arange(shared - len(b), len(a) - shared + 1)
    first, last = np.maximum(offsets, 0), np.minimum(offsets + len(b), len(a))
    count = (last - first).astype(float)
    size = fft.next_fast_len(len(a) + len(b), real=True)
    spectrum = (fft.rfft(a, size, axis=0) * fft.rfft(b, size, axis=0).conj()).sum(axis=1)
    products = fft.irfft(spectrum, size)[offsets] / count
    mean_a, energy_a = _means(a, first, last)
    mean_b, energy_b = _means(b, first - offsets, last - offsets)
    still_a, still_b = (mean_a * mean_a).sum(axis=1), (mean_b * mean_b).sum(axis=1)
    alike = (mean_a * mean_b).sum(axis=1)
    noise = _NOISE * a.shape[1]
    moving = np.maximum(energy_a - still_a, noise) * np.maximum(energy_b - still_b, noise)
    standing = np.maximum(still_a, noise) * np.maximum(still_b, noise)
    return offsets, count, (products - alike) / np.sqrt(moving), alike / np.sqrt(standing)


def _means(rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (N, P) of rows first..last-1, and of their squared lengths (N,), for N such spans."""
    with_squares = np.column_stack([rows, (rows * rows).sum(axis=1)])
    totals = np.concatenate([np.zeros((1, with_squares.shape[1])), with_squares.cumsum(axis=0)])
    means = (totals[last] - totals[first]) / (last - first)[:, None]
    return means[:, :-1], means[:, -1]
