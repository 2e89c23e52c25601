from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slic_mmaction.evaluation import PROTOCOLS, SampleProtocolClips, get_protocol
from slic_mmaction.evaluation.protocols import full_name, name_in_keys

DATA = Path(__file__).parents[1] / "data"
STARTS = {
    int(key.rsplit("_", 1)[1]): value
    for key, value in np.load(DATA / "retrieval.npz").items()
    if key.startswith("clip_starts/ucf_")
}
TEMPORAL = np.load(DATA / "temporal.npz")
COCLR = {int(length): frames for length, frames in np.load(DATA / "coclr_frames.npz").items()}


def sampled(protocol: str, length: int, first: int = 0, **options) -> dict:
    results = dict(total_frames=length, start_index=first)
    return SampleProtocolClips(protocol, **options).transform(results)


def test_clips_are_the_authors() -> None:
    for length, starts in STARTS.items():
        found = sampled("iic", length)["frame_inds"].reshape(10, 16)
        np.testing.assert_array_equal(found[:, 0], starts % length)
    for length in (int(n) for n in TEMPORAL["lengths"] if n >= 16):
        frames = sampled("center", length, 1)["frame_inds"]
        np.testing.assert_array_equal(frames, TEMPORAL[f"center/{length}"])
    for length in (n for n in COCLR if n > 16):
        results = sampled("coclr", length, 1)
        np.testing.assert_array_equal(results["frame_inds"], COCLR[length])
        assert results["num_clips"] == len(COCLR[length]) // 16
        assert results["protocol"] == "coclr"
    for length in (1, 5, 15, 16):
        # The authors pad on the left with frame 0 and lose a frame: not so here.
        frames = sampled("coclr", length)["frame_inds"]
        np.testing.assert_array_equal(frames, np.arange(16) % length)


@given(st.integers(1, 400), st.integers(1, 12), st.integers(1, 20), st.integers(1, 4))
def test_frames_exist_whatever_the_length(length: int, clips: int, frames: int, step: int) -> None:
    span = frames * step
    found = sampled("iic", length, clip_len=frames, frame_interval=step, num_clips=clips)
    assert found["frame_inds"].shape == (clips * frames,)
    assert found["frame_inds"].min() >= 0 and found["frame_inds"].max() < length
    if length >= span:
        starts = found["frame_inds"][::frames]
        assert starts[0] == 0 and (np.diff(starts) >= 0).all()
    windows = sampled("coclr", length, clip_len=frames, frame_interval=step)["frame_inds"][::frames]
    assert windows[0] == 0 and (np.diff(windows) == span).all()
    assert len(windows) == 1 or windows[-1] + span < length
    assert windows[-1] + 2 * span >= length
    center = sampled("center", length, clip_len=frames)["frame_inds"]
    assert center[0] == max(length - frames, 0) // 2


def test_names_say_what_departs_from_the_protocol() -> None:
    assert [p.name for p in PROTOCOLS.values()] == list(PROTOCOLS) == ["iic", "coclr", "center"]
    assert sampled("iic", 50)["protocol"] == "iic"
    options = dict(num_clips=4, clip_len=8, frame_interval=2)
    assert sampled("iic", 50, **options)["protocol"] == "iic, 4 clips, 8 frames, interval 2"
    assert get_protocol("iic, 4 clips") is PROTOCOLS["iic"]
    assert full_name("iic", "projection", (128, 128)) == "iic"
    assert full_name("coclr", "backbone", None) == "coclr"
    name = full_name("iic, 4 clips", "backbone", (56, 56))
    assert name == "iic, 4 clips, backbone feature, 56px"
    assert name_in_keys(name) == "iic_4-clips_backbone-feature_56px"
    assert full_name("center", "projection", (128, 171)) == "center, 171x128px"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            dict(protocol="coc"),
            r".coc.: choose one of center, coclr, iic",
        ),
        (dict(num_clips=0), "at least 1"),
        (dict(frame_interval=0), "at least 1"),
        (dict(protocol="center", num_clips=3), "has one clip, in the centre"),
        (dict(protocol="coclr", num_clips=3), "takes all clips of a video"),
    ],
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SampleProtocolClips(**options)
    with pytest.raises(ValueError, match=r"a\.avi has no frames"):
        SampleProtocolClips().transform(dict(total_frames=0, start_index=0, filename="a.avi"))
