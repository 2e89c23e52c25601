from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slic_mmaction.transforms import SampleProtocolClips
from slic_mmaction.transforms.retrieval_clips import (
    center_start,
    evenly_spaced_starts,
    window_starts,
)

DATA = Path(__file__).parents[1] / "data"
STARTS = {
    int(key.rsplit("_", 1)[1]): value
    for key, value in np.load(DATA / "retrieval.npz").items()
    if key.startswith("clip_starts/ucf_")
}
TEMPORAL = np.load(DATA / "temporal.npz")
COCLR = {int(length): frames for length, frames in np.load(DATA / "coclr_frames.npz").items()}


@pytest.mark.parametrize("length", STARTS)
def test_iic_starts_are_the_authors(length: int) -> None:
    np.testing.assert_array_equal(evenly_spaced_starts(length), STARTS[length])


@pytest.mark.parametrize("length", [n for n in TEMPORAL["lengths"] if n >= 16])
def test_center_clip_is_the_authors(length: int) -> None:
    results = dict(total_frames=int(length), start_index=1)
    frames = SampleProtocolClips("center").transform(results)["frame_inds"]
    np.testing.assert_array_equal(frames, TEMPORAL[f"center/{length}"])


@pytest.mark.parametrize("length", [n for n in COCLR if n > 16])
def test_coclr_windows_are_the_authors(length: int) -> None:
    results = dict(total_frames=length, start_index=1)
    results = SampleProtocolClips("coclr").transform(results)
    np.testing.assert_array_equal(results["frame_inds"], COCLR[length])
    assert results["num_clips"] == len(COCLR[length]) // 16
    assert results["protocol"] == "coclr"


@pytest.mark.parametrize("length", [1, 5, 15, 16])
def test_coclr_loops_a_short_video(length: int) -> None:
    """The authors pad on the left with frame 0 and lose a frame: not so here."""
    results = SampleProtocolClips("coclr").transform(dict(total_frames=length, start_index=0))
    np.testing.assert_array_equal(results["frame_inds"], np.arange(16) % length)


@given(st.integers(1, 400), st.integers(1, 20), st.integers(1, 4))
def test_windows_follow_each_other_and_fit(length: int, frames: int, step: int) -> None:
    span = frames * step
    starts = window_starts(length, span)
    assert starts[0] == 0 and (np.diff(starts) == span).all()
    assert len(starts) == 1 or starts[-1] + span < length
    assert starts[-1] + 2 * span >= length


@given(st.integers(1, 300), st.integers(1, 12), st.integers(1, 20), st.integers(1, 4))
def test_frames_exist_whatever_the_length(length: int, clips: int, frames: int, step: int) -> None:
    transform = SampleProtocolClips("iic", clip_len=frames, frame_interval=step, num_clips=clips)
    out = transform.transform(dict(total_frames=length, start_index=0))
    assert out["frame_inds"].shape == (clips * frames,)
    assert out["frame_inds"].min() >= 0 and out["frame_inds"].max() < length
    if length >= frames * step:
        starts = evenly_spaced_starts(length, frames * step, clips)
        assert starts[0] == 0 and (np.diff(starts) >= 0).all()
    assert center_start(length, frames) == max(length - frames, 0) // 2


def test_the_name_says_what_departs_from_the_protocol() -> None:
    def name(*args, **kwargs) -> str:
        transform = SampleProtocolClips(*args, **kwargs)
        return transform.transform(dict(total_frames=50, start_index=0))["protocol"]

    assert name("iic") == "iic" and name("center") == "center"
    assert name("iic", num_clips=4, clip_len=8, frame_interval=2) == (
        "iic, 4 clips, 8 frames, interval 2"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(protocol="coc"), r"Unknown retrieval protocol 'coc'; known are center, coclr, iic"),
        (dict(num_clips=0), "at least 1"),
        (dict(frame_interval=0), "at least 1"),
        (dict(protocol="coclr", num_clips=0), "at least 1"),
        (dict(protocol="center", num_clips=3), "has one clip, in the centre"),
        (dict(protocol="coclr", num_clips=3), "takes all clips of a video"),
    ],
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SampleProtocolClips(**options)
    with pytest.raises(ValueError, match=r"a\.avi has no frames"):
        SampleProtocolClips().transform(dict(total_frames=0, start_index=0, filename="a.avi"))
