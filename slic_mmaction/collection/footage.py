"""Comparing the motion of two videos pixel by pixel, to decide whether they show the same footage.

Pictures are sampled at a fixed rate, so that copies with another frame rate match. Uniform bars
are cropped, and pictures are converted to small grey ones with mean 0. Two videos are compared at
every offset in time, for trimmed copies, and mirrored. At each offset, the mean picture of the
common part is subtracted, and the rest is correlated: different takes of a scene share the
background, but not the motion. Repetitive actions also correlate with other takes, but then a
video correlates with itself at other offsets. A copy must correlate much better than that, also
in fast changes.
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
"""Pictures per second."""

SIDE = 12
"""Width and height of a picture in pixels."""

_LOOK = 64  # width and height of pictures in which bars are searched
_BAR = (20.0, 0.08)  # range within a bar: at most these grey levels, and this share of the range
_LARGEST_BAR = 0.4  # share of the width or height
_LOOKS_FOR_BARS = 100
_NOISE = 0.3**2  # squared grey levels: noise of codecs
_SHARED, _SHARED_WITH_ITSELF = 0.6, 0.4  # smallest common share of the shorter video
_REPEATED_AFTER = 0.4  # seconds
_AGREEMENT = 0.8  # smallest correlation of the motion
_BETTER = 0.25  # largest 1 - correlation, as a share of that of a video with itself
_STILL = 0.5  # smallest correlation of the mean pictures
_QUICK = 0.6  # smallest correlation of fast changes
_SLOW = 5  # number of pictures of the moving average that removes slow changes
_QUICK_NOISE = 0.4**2  # squared grey levels: below this there are no fast changes


class Footage(NamedTuple):
    """The compared data of a video.

    Attributes:
        views: (T, 12, 12) float16 pictures, ten per second, without bars; and, if there are bars,
            the same with bars, because a bar may be a dark part of the scene.
        repetition: Largest correlation with itself at another offset.
        width: Width of the video in pixels.
        height: Height of the video in pixels.
        pixels: Number of pixels inside of the bars.
        seconds: Length of the video in seconds.
    """

    views: list[np.ndarray]
    repetition: float
    width: int
    height: int
    pixels: float
    seconds: float


class Match(NamedTuple):
    """Similarity of two videos at their best offset.

    Attributes:
        motion: Correlation of the motion, -1 to 1.
        still: Correlation of the mean pictures.
        offset: Time in the first video, in seconds, at which the second begins; negative if it
            begins earlier.
        seconds: Length of the common part in seconds.
        mirrored: Whether one of them is mirrored.
        quick: Correlation of changes within half a second; 1 if there are none.
        repetition: Largest correlation of either video with itself at another offset.
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
    """Read the footage of a video, decoding it once.

    Raises:
        UnreadableVideoError: If the video cannot be read.
        OSError: If the disk fails.
    """
    with closing(open_reader(path)) as reader:
        return _read(reader)


def _read(reader: VideoReader) -> Footage:
    rate, shown = reader.timeline()
    seconds = len(shown) / rate
    # A picture between two frames is interpolated.
    place = np.minimum(np.arange(max(1, int(seconds * RATE))) / RATE * rate, len(shown) - 1)
    before, after = shown[np.floor(place).astype(int)], shown[np.ceil(place).astype(int)]
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
        weight = (place % 1)[pairs, None, None].astype(np.float32)
        views.append((first + weight * (second - first)).astype(np.float16))
    return Footage(views, repetition(views[0]), width, height, share * width * height, seconds)


def bars(frames: np.ndarray) -> tuple[int, int, int, int]:
    """Find the first and last+1 row and column inside the uniform bars of frames (T, H, W)."""
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
    """Describe the appearance of a video by vectors (2, 288), of its pictures and mirrored ones.

    A vector has the mean and the standard deviation of all pictures, both centred and of length 1.
    """
    pictures = footage.views[0].astype(np.float32)
    pictures = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    parts = []
    for part in (pictures.mean(axis=0), pictures.std(axis=0)):
        centred = part - part.mean()
        parts.append(centred / max(float(np.linalg.norm(centred)), 1e-6))
    return np.stack([np.ravel(parts), np.ravel([part[:, ::-1] for part in parts])])


def compare(a: Footage, b: Footage) -> Match:
    """Compare two videos at every offset, mirrored or not, and return the best match."""
    repeated = max(a.repetition, b.repetition)
    return max(
        _best_match(_prepared(first), _prepared(second[:, :, ::step]), step < 0, repeated)
        for first in a.views
        for second in b.views
        for step in (1, -1)
    )


def _best_match(a: np.ndarray, b: np.ndarray, mirrored: bool, repetition: float) -> Match:
    """Return the match of rows (S, P) and (T, P) at the best offset."""
    offsets, count, motion, still = _correlations(a, b, _SHARED)
    best = int(motion.argmax())
    offset, common = int(offsets[best]), int(count[best])
    first, second = max(offset, 0), max(-offset, 0)
    quick = _quick(a[first : first + common], b[second : second + common])
    values = float(motion[best]), float(still[best])
    return Match(*values, offset / RATE, common / RATE, mirrored, quick, repetition)


def _quick(a: np.ndarray, b: np.ndarray) -> float:
    """Correlate the fast changes of aligned rows (T, P)."""
    a, b = (rows - uniform_filter1d(rows, _SLOW, axis=0) for rows in (a, b))
    energy_a, energy_b = (a * a).mean(), (b * b).mean()
    if min(energy_a, energy_b) < _QUICK_NOISE:
        return 1.0
    return float((a * b).mean() / np.sqrt(energy_a * energy_b))


def repetition(frames: np.ndarray) -> float:
    """Return the largest correlation of frames (T, H, W) with themselves 0.4 s or more later.

    It is at least 0.
    """
    rows = _prepared(frames)
    offsets, _, motion, _ = _correlations(rows, rows, _SHARED_WITH_ITSELF)
    return float(motion[offsets >= _REPEATED_AFTER * RATE].max(initial=0.0))


def _prepared(frames: np.ndarray) -> np.ndarray:
    """Convert frames to rows (T, H * W) float64 with mean 0."""
    rows = frames.reshape(len(frames), -1).astype(np.float64)
    return rows - rows.mean(axis=1, keepdims=True)


def _correlations(
    a: np.ndarray, b: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Correlate rows (S, P) and (T, P) at all offsets with a large enough common part.

    Row i of ``b`` is compared with row i + offset of ``a``. All offsets are computed at once by
    FFT and cumulative sums.

    Returns:
        Offsets, numbers of common rows, and correlations of the motion and of the mean pictures,
        each (N,).
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
    """Average rows first..last-1 (N, P), and their squared lengths (N,), for N spans."""
    with_squares = np.column_stack([rows, (rows * rows).sum(axis=1)])
    totals = np.concatenate([np.zeros((1, with_squares.shape[1])), with_squares.cumsum(axis=0)])
    means = (totals[last] - totals[first]) / (last - first)[:, None]
    return means[:, :-1], means[:, -1]
