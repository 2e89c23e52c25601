from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from slic_mmaction.models import pool_clips
from slic_mmaction.models.pooling import frames_per_clip

sizes = st.integers(1, 4)


@settings(deadline=None, max_examples=30)
@given(n=sizes, c=sizes, t=sizes, h=sizes, w=sizes)
def test_each_entry_is_a_mean_over_its_own_clip(n: int, c: int, t: int, h: int, w: int) -> None:
    volume = torch.randn(n, c, t, h, w)
    pooled = pool_clips(volume)
    assert pooled.shape == (n, c)
    for clip in range(n):
        for channel in range(c):
            expected = sum(volume[clip, channel].flatten().tolist()) / (t * h * w)
            assert pooled[clip, channel].item() == pytest.approx(expected, abs=1e-5)
    # The same numbers as single frames, time in the batch dimension.
    frames = volume.transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(pool_clips(frames, num_segments=t), pooled)
    torch.testing.assert_close(pool_clips(frames.mean((2, 3)), num_segments=t), pooled)
    # And as tokens.
    tokens = volume.flatten(2).transpose(1, 2)
    torch.testing.assert_close(pool_clips(tokens), pooled)


def test_rows_of_clips_stay_as_they_are() -> None:
    rows = torch.randn(3, 7)
    assert pool_clips(rows) is rows


def test_pathways_are_concatenated() -> None:
    slow, fast = torch.randn(3, 5, 2, 4, 4), torch.randn(3, 2, 8, 4, 4)
    expected = torch.cat([slow.mean((2, 3, 4)), fast.mean((2, 3, 4))], dim=1)
    torch.testing.assert_close(pool_clips((slow, fast)), expected)
    torch.testing.assert_close(pool_clips([slow, fast]), expected)


def test_mvit_is_read_as_its_own_head_reads_it() -> None:
    stages = ([torch.randn(2, 3, 4, 8, 8), torch.randn(2, 3)],)
    stages = (*stages, [torch.randn(2, 6, 2, 4, 4), torch.randn(2, 6)])
    assert pool_clips(stages) is stages[1][1]
    without_token = ([stages[1][0]],)
    torch.testing.assert_close(pool_clips(without_token), stages[1][0].mean((2, 3, 4)))


@pytest.mark.parametrize(
    ("features", "num_segments", "message"),
    [
        (torch.zeros(3), None, r"returned a tensor of shape \(3,\)"),
        ([{"a": 1}], None, r"the backbone returned a dict"),
        (None, None, "returned a NoneType"),
        ([], None, r"a list of \(\)"),
        (torch.zeros(8, 3, 2, 2), None, r"\(8, 3, 2, 2\), one row for each frame.*num_segments"),
        (torch.zeros(2, 3, 4, 2, 2), 4, r"one row for each clip, but cls_head.num_segments=4"),
        (torch.zeros(8, 3, 2, 2), 3, r"num_segments=3 does not divide the 8 frames"),
    ],
)
def test_what_cannot_be_read_is_described(features, num_segments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pool_clips(features, num_segments)


def test_frames_of_a_clip_are_known_to_the_head() -> None:
    head = nn.Module()
    assert frames_per_clip(head) is None
    head.num_segments = 8
    assert frames_per_clip(head) == 8
