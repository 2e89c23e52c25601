from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slic_mmaction.transforms.view_frames import (
    SampleViewFrames,
    clip_frames,
    positive_start_range,
)

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "temporal.npz")
LENGTHS = GOLDEN["lengths"].tolist()


@pytest.mark.parametrize("length", LENGTHS)
def test_positive_range_is_the_authors(length: int) -> None:
    assert (
        list(positive_start_range(length, 16))
        == GOLDEN[f"random_start16/{length}/begin_range"].tolist()
    )


@pytest.mark.parametrize("length", LENGTHS)
def test_every_positive_clip_is_the_authors(length: int) -> None:
    low, high = positive_start_range(length, 16)
    clips = np.array([clip_frames(s, 16, 1, length) for s in range(low, high + 1)]) + 1
    np.testing.assert_array_equal(clips[:, 0], GOLDEN[f"random_start16/{length}/first_frames"])
    if length >= 16:  # their shorter clips end early, ours are looped
        np.testing.assert_array_equal(clips[:, -1], GOLDEN[f"random_start16/{length}/last_frames"])


@pytest.mark.parametrize("length", LENGTHS)
def test_anchor_is_the_authors(length: int) -> None:
    results = dict(total_frames=length, start_index=1, views=("anchor",))
    frames = SampleViewFrames(clip_len=16).transform(results)["frame_inds"]
    np.testing.assert_array_equal(frames, GOLDEN[f"begin/{length}"])


@given(st.integers(1, 400), st.integers(1, 32), st.integers(1, 4))
def test_positive_does_not_overlap_the_anchor_where_it_need_not(
    length: int, clip_len: int, interval: int
) -> None:
    span = clip_len * interval
    low, high = positive_start_range(length, span)
    assert 0 <= low <= high
    if length >= 2 * span:
        assert low == span
    if length >= span:
        assert high == length - span
    else:
        assert low == high == 0


def test_positive_starts_are_uniform() -> None:
    np.random.seed(0)
    transform = SampleViewFrames(clip_len=4)
    starts = [
        transform.transform(dict(total_frames=12, start_index=0, views=("positive",)))[
            "frame_inds"
        ][0]
        for _ in range(2000)
    ]
    values, counts = np.unique(starts, return_counts=True)
    assert values.tolist() == [4, 5, 6, 7, 8]
    assert np.square(counts - 400).sum() / 400 < 18.5  # chi-square, 4 dof, p = 0.001


@pytest.mark.parametrize("length", [1, 2, 5, 15, 16, 17, 40])
def test_three_views_of_any_length(length: int) -> None:
    results = dict(total_frames=length, start_index=0, views=("anchor", "positive", "anchor"))
    out = SampleViewFrames(clip_len=16).transform(results)
    clips = out["frame_inds"].reshape(3, 16)
    assert out["num_clips"] == 3 and out["clip_len"] == 16
    assert clips.min() >= 0 and clips.max() < length
    np.testing.assert_array_equal(clips[0], clips[2])


def test_bad_input_is_named() -> None:
    transform = SampleViewFrames()
    with pytest.raises(ValueError, match=r"empty\.avi has no frames"):
        transform.transform(
            dict(total_frames=0, start_index=0, views=("anchor",), filename="empty.avi")
        )
    with pytest.raises(ValueError, match="Unknown view 'side'"):
        transform.transform(dict(total_frames=9, start_index=0, views=("side",)))
    with pytest.raises(ValueError, match="at least 1"):
        SampleViewFrames(clip_len=0)
