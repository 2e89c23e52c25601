"""Fast positives and shuffled anchors."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slic_mmaction.datasets.cluster_aware_dataset import seeded_draws
from slic_mmaction.transforms import DecodeFrames, OpenVideo
from slic_mmaction.transforms.view_frames import (
    SampleViewFrames,
    clip_frames,
    positive_start_range,
)

# First and last 0-based start of the authors' clips of 16 frames at double speed, by number of
# frames of the video, found by running their code. (Below 32 frames their clips are shorter.)
AUTHORS = {
    **{length: (0, 0) for length in (1, 5, 8, 15, 16, 17, 20, 24, 31, 32)},
    **{33: (1, 1), 34: (2, 2), 40: (8, 8), 48: (16, 16)},
    **{64: (16, 32), 100: (16, 68), 187: (16, 155), 300: (16, 268)},
}


@pytest.mark.parametrize(("length", "starts"), AUTHORS.items())
def test_fast_range_is_the_authors(length: int, starts: tuple[int, int]) -> None:
    assert positive_start_range(length, 16, speed=2) == starts


def sample(length: int, views: tuple[str, ...], seed: int = 0, **options: int) -> np.ndarray:
    options = {"clip_len": 16, **options}
    with seeded_draws(seed):
        results = dict(total_frames=length, start_index=1, views=views)
        out = SampleViewFrames(**options).transform(results)
    assert out["num_clips"] == len(views)
    return out["frame_inds"].reshape(len(views), -1) - 1


@given(st.integers(1, 200), st.integers(1, 16), st.integers(1, 3), st.integers(0, 99))
def test_a_fast_positive_skips_every_other_frame(length, clip_len, interval, seed) -> None:
    (clip,) = sample(length, ("fast_positive",), seed, clip_len=clip_len, frame_interval=interval)
    low, high = positive_start_range(length, clip_len * interval, 2)
    assert low <= clip[0] <= high
    np.testing.assert_array_equal(clip, clip_frames(clip[0], clip_len, 2 * interval, length))
    if length >= 2 * clip_len * interval:
        assert (np.diff(clip) == 2 * interval).all()  # not looped
    if length >= 3 * clip_len * interval:
        assert clip[0] >= clip_len * interval  # after the anchor


def test_fast_starts_are_uniform_and_not_those_of_the_positive() -> None:
    pairs = [sample(24, ("positive", "fast_positive"), s, clip_len=4)[:, 0] for s in range(2000)]
    starts, counts = np.unique([fast for _, fast in pairs], return_counts=True)
    assert starts.tolist() == list(range(4, 17))
    assert np.square(counts - 2000 / 13).sum() / (2000 / 13) < 32.9  # chi-square, 12 dof, p = .001
    assert abs(np.corrcoef(np.transpose(pairs))[0, 1]) < 0.1


@pytest.mark.parametrize("length", [1, 7, 16, 40])
def test_a_shuffled_anchor_has_the_anchors_frames_in_another_order(length: int) -> None:
    anchor, shuffled = sample(length, ("anchor", "shuffled_anchor"))
    assert Counter(shuffled) == Counter(anchor)
    assert length == 1 or shuffled.tolist() != anchor.tolist()


def test_orders_are_uniform_and_those_of_the_seed() -> None:
    orders = [tuple(sample(9, ("shuffled_anchor",), s, clip_len=3)[0]) for s in range(1200)]
    counts = Counter(orders)
    assert len(counts) == 6
    assert sum((n - 200) ** 2 / 200 for n in counts.values()) < 20.5  # 5 dof, p = .001
    assert orders[5] == tuple(sample(9, ("shuffled_anchor",), 5, clip_len=3)[0])


def test_a_shuffled_anchor_is_not_decoded_again(video_set: Path) -> None:
    results = dict(
        filename=str(video_set / "train_7.mp4"),
        start_index=0,
        views=("anchor", "shuffled_anchor"),
    )
    results = OpenVideo().transform(results)
    reader, asked = results["video_reader"], []
    read = reader.read
    reader.read = lambda indices: asked.append(list(indices)) or read(indices)
    with seeded_draws(0):
        results = DecodeFrames().transform(SampleViewFrames(clip_len=8).transform(results))
    assert asked == [list(range(8))]
    imgs, order = results["imgs"], results["frame_inds"][8:]
    assert order.tolist() != list(range(8))
    assert all(imgs[8 + k] is imgs[frame] for k, frame in enumerate(order))
