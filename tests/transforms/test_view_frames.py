from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from slic_mmaction.transforms import DecodeFrames, OpenVideo
from slic_mmaction.transforms.view_frames import (
    SampleViewFrames,
    clip_frames,
    positive_start_range,
)

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "temporal.npz")
LENGTHS = GOLDEN["lengths"].tolist()
# First and last 0-based start of the authors' clips of 16 frames at double speed, by number of
# frames of the video, found by running their code. (Below 32 frames their clips are shorter.)
FAST_STARTS = {
    **{length: (0, 0) for length in (1, 5, 8, 15, 16, 17, 20, 24, 31, 32)},
    **{33: (1, 1), 34: (2, 2), 40: (8, 8), 48: (16, 16)},
    **{64: (16, 32), 100: (16, 68), 187: (16, 155), 300: (16, 268)},
}


def sample(length: int, *views: str, seed: int = 0, clip_len: int = 16, interval: int = 1):
    """0-based frame numbers (V, clip_len)."""
    np.random.seed(seed)
    results = dict(total_frames=length, start_index=1, views=views)
    out = SampleViewFrames(clip_len, interval).transform(results)
    assert out["num_clips"] == len(views) and out["clip_len"] == clip_len
    return out["frame_inds"].reshape(len(views), -1) - 1


def test_clips_are_the_authors() -> None:
    """Anchors, and all positives that may be drawn."""
    for length in LENGTHS:
        np.testing.assert_array_equal(sample(length, "anchor")[0] + 1, GOLDEN[f"begin/{length}"])
        low, high = positive_start_range(length, 16)
        assert [low, high] == GOLDEN[f"random_start16/{length}/begin_range"].tolist()
        clips = np.array([clip_frames(s, 16, 1, length) for s in range(low, high + 1)]) + 1
        theirs = f"random_start16/{length}"
        np.testing.assert_array_equal(clips[:, 0], GOLDEN[f"{theirs}/first_frames"])
        if length >= 16:  # their shorter clips end early, ours are looped
            np.testing.assert_array_equal(clips[:, -1], GOLDEN[f"{theirs}/last_frames"])
    for length, starts in FAST_STARTS.items():
        assert positive_start_range(length, 16, speed=2) == starts


@given(
    st.integers(1, 300), st.integers(1, 16), st.integers(1, 3), st.integers(0, 99), st.booleans()
)
def test_a_positive_overlaps_neither_the_anchor_nor_the_end(
    length: int, clip_len: int, interval: int, seed: int, fast: bool
) -> None:
    """Where the video is long enough; otherwise it is looped."""
    speed, view = (2, "fast_positive") if fast else (1, "positive")
    (clip,) = sample(length, view, seed=seed, clip_len=clip_len, interval=interval)
    low, high = positive_start_range(length, clip_len * interval, speed)
    assert low <= clip[0] <= high
    np.testing.assert_array_equal(clip, (clip[0] + np.arange(clip_len) * interval * speed) % length)
    if length >= speed * clip_len * interval:
        assert (np.diff(clip) == speed * interval).all()
    if length >= (speed + 1) * clip_len * interval:
        assert clip[0] >= clip_len * interval


def test_starts_and_orders_are_uniform_and_independent() -> None:
    views = ("positive", "fast_positive", "shuffled_anchor")
    drawn = np.array([sample(24, *views, seed=s, clip_len=4) for s in range(1000)])
    starts, fast_starts = drawn[:, 0, 0], drawn[:, 1, 0]
    for values, last in ((starts, 20), (fast_starts, 16)):
        counts = Counter(values.tolist())
        assert sorted(counts) == list(range(4, last + 1))
        assert chisquare(list(counts.values())).pvalue > 0.001
    assert abs(np.corrcoef(starts, fast_starts)[0, 1]) < 0.1
    orders = Counter(map(tuple, drawn[:, 2].tolist()))
    assert len(orders) == 24 and chisquare(list(orders.values())).pvalue > 0.001


@pytest.mark.parametrize("length", [1, 2, 7, 16, 40])
def test_views_of_any_length(length: int) -> None:
    anchor, _, second, shuffled = sample(length, "anchor", "positive", "anchor", "shuffled_anchor")
    np.testing.assert_array_equal(anchor, np.arange(16) % length)
    np.testing.assert_array_equal(anchor, second)
    assert Counter(shuffled) == Counter(anchor)
    assert length == 1 or shuffled.tolist() != anchor.tolist()


def test_a_shuffled_anchor_is_not_decoded_again(video_set: Path) -> None:
    views = ("anchor", "shuffled_anchor")
    results = dict(filename=str(video_set / "train_7.mp4"), start_index=0, views=views)
    results = OpenVideo().transform(results)
    reader, asked = results["video_reader"], []
    read = reader.read
    reader.read = lambda indices: asked.append(list(indices)) or read(indices)
    np.random.seed(0)
    results = DecodeFrames().transform(SampleViewFrames(clip_len=8).transform(results))
    assert asked == [list(range(8))]
    imgs, order = results["imgs"], results["frame_inds"][8:]
    assert order.tolist() != list(range(8))
    assert all(imgs[8 + k] is imgs[frame] for k, frame in enumerate(order))


def test_bad_input_is_named() -> None:
    transform = SampleViewFrames()
    empty = dict(total_frames=0, start_index=0, views=("anchor",), filename="empty.avi")
    with pytest.raises(ValueError, match=r"empty\.avi has no frames"):
        transform.transform(empty)
    with pytest.raises(ValueError, match="Unknown view 'side'"):
        transform.transform(dict(total_frames=9, start_index=0, views=("side",)))
    with pytest.raises(ValueError, match="at least 1"):
        SampleViewFrames(clip_len=0)
