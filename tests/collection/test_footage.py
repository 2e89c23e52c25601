"""Whether two videos show the same footage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.collection.footage import (
    RATE,
    Footage,
    bars,
    compare,
    read_footage,
    repetition,
    summary,
)  # fmt: skip
from tests.collection.near_duplicates import (
    COPIES,
    HEIGHT,
    WIDTH,
    scene,
    write_near_duplicates,
)  # fmt: skip
from tests.videos import encode


def test_footage(tmp_path: Path) -> None:
    folder = write_near_duplicates(tmp_path)
    footage = {path.name: read_footage(str(path)) for path in folder.iterdir()}
    original = footage["original.mp4"]
    (view,) = original.views
    assert view.shape == (36, 12, 12) and original.seconds == pytest.approx(3.6)
    assert (original.width, original.height, original.pixels) == (WIDTH, HEIGHT, WIDTH * HEIGHT)
    assert footage["bars.mp4"].pixels == pytest.approx(WIDTH * HEIGHT, rel=0.06)
    for name, (offset, mirrored) in COPIES.items():
        match, back = compare(original, footage[name]), compare(footage[name], original)
        assert match.is_copy, (name, match)
        assert match.offset == pytest.approx(offset, abs=0.1) and match.mirrored == mirrored
        assert back.offset == pytest.approx(-match.offset)
        assert back.motion == pytest.approx(match.motion)
        looks = summary(original)[0] @ summary(footage[name]).T / 2
        assert looks.argmax() == mirrored and looks.max() > 0.8, name
    for name in ("other take.mp4", "again.mp4", "other.mp4"):
        assert not compare(original, footage[name]).is_copy, name
    # Another take of the same scene looks the same, and one that repeats itself moves so, too.
    assert compare(original, footage["other take.mp4"]).still > 0.8
    assert compare(footage["again.mp4"], footage["again, less.mp4"]).motion > 0.8
    assert not compare(footage["again.mp4"], footage["again, less.mp4"]).is_copy


def test_a_copy_with_a_variable_rate(tmp_path: Path) -> None:
    """As of a screen recording, which leaves out frames without changes."""
    frames = scene(0, 0)
    kept = [*range(0, 45, 9), *range(45, 90)]
    held = [frames[max(k for k in kept if k <= t)] for t in range(90)]
    constant = read_footage(str(encode(tmp_path / "a.mp4", held)))
    path = encode(tmp_path / "b.mp4", [frames[k] for k in kept], stamps=kept)
    variable = read_footage(str(path))
    match = compare(constant, variable)
    assert variable.seconds == pytest.approx(constant.seconds, abs=0.04)
    assert match.is_copy and match.offset == 0 and match.motion > 0.98


def correlation(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Of what moves in frames (T, H, W) and of what does not, in plain words."""
    a, b = (f - f.mean(axis=(1, 2), keepdims=True) for f in (a.astype(float), b.astype(float)))
    still = [f.mean(axis=0) for f in (a, b)]
    moving = [a - still[0], b - still[1]]
    return tuple(
        float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())) for x, y in (moving, still)
    )


def footage(frames: np.ndarray, repetition: float = 0.0) -> Footage:
    return Footage([frames], repetition, 6, 4, 24.0, len(frames) / RATE)


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 14), st.integers(3, 14), st.integers(0, 99), st.booleans())
def test_alignment_is_the_best_of_all(s: int, t: int, seed: int, mirrored: bool) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (s, 4, 6), dtype=np.uint8)
    b = rng.integers(0, 256, (t, 4, 6), dtype=np.uint8)
    shared = min(s, t)
    b[:shared] = (a[-shared:, :, ::-1] if mirrored else a[-shared:]) // 2 + b[:shared] // 8
    results = []
    for flip in (False, True):
        turned = b[:, :, ::-1] if flip else b
        for offset in range(-t + 1, s):
            first, last = max(offset, 0), min(offset + t, s)
            if last - first >= round(0.6 * shared):
                part = turned[first - offset : last - offset]
                results.append((*correlation(a[first:last], part), offset, last - first, flip))
    best = max(results)
    match = compare(footage(a, 0.3), footage(b, 0.2))
    assert (match.motion, match.still) == pytest.approx(best[:2])
    assert (match.offset * RATE, match.seconds * RATE) == pytest.approx(best[2:4])
    assert match.mirrored == best[4] and match.repetition == 0.3


@pytest.mark.parametrize("length", [3, 9, 30])
def test_repetition_is_the_best_of_all_later_offsets(length: int) -> None:
    frames = np.random.default_rng(length).integers(0, 256, (length, 4, 6), dtype=np.uint8)
    frames[7:] = frames[: max(length - 7, 0)] // 2 + frames[7:] // 2
    offsets = range(4, length - round(0.4 * length) + 1)
    best = [correlation(frames[k:], frames[: length - k])[0] for k in offsets]
    assert repetition(frames) == pytest.approx(max([0.0, *best]))


def test_still_videos_have_no_motion_to_agree() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (4, 6), dtype=np.uint8)
    frames = np.repeat(picture[None], 20, axis=0)
    frames[3, 2, 2] += 1  # noise of a codec
    still = footage(frames)
    assert compare(still, still).motion < 0.1 and not compare(still, still).is_copy


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_bars(top: int, bottom: int, left: int, right: int) -> None:
    inside = np.random.default_rng(0).integers(0, 256, (5, 20, 20), dtype=np.uint8)
    sides = [(0, 0), (top, bottom), (left, right)]
    padded = np.pad(inside, sides, constant_values=16)
    assert bars(padded) == (top, top + 20, left, left + 20)
