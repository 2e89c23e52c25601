from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from slic_mmaction.decoding import UnreadableVideoError
from slic_mmaction.flow.estimate import METHODS, build_estimator, sampled_flow, video_flow

from ..videos import encode

NEEDS_CONTRIB = pytest.mark.skipif(not hasattr(cv2, "optflow"), reason="no contrib modules")
EACH_METHOD = pytest.mark.parametrize(
    "method", [pytest.param(m, marks=[NEEDS_CONTRIB] * (m == "tvl1")) for m in METHODS]
)

MJPEG = dict(codec="mjpeg", pix_fmt="yuvj420p")


SIDE = 24
Place = tuple[slice, slice]


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """(height, width, 3) uint8 with structure that flow can follow."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def moving_square(
    step: tuple[int, int], num_frames: int, size: tuple[int, int] = (96, 64)
) -> tuple[list[np.ndarray], list[Place]]:
    """Frames of a textured square that moves by ``step`` pixels (right, down), and its places."""
    width, height = size
    ground, square = texture(height, width, 0), texture(SIDE, SIDE, 1)
    x = (width - SIDE) // 2 - step[0] * num_frames // 2
    y = (height - SIDE) // 2 - step[1] * num_frames // 2
    frames, places = [], []
    for t in range(num_frames):
        top, left = y + step[1] * t, x + step[0] * t
        places.append((slice(top, top + SIDE), slice(left, left + SIDE)))
        frames.append(ground.copy())
        frames[-1][places[-1]] = square
    return frames, places


def gray(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)


def middle(flow: np.ndarray, place: Place) -> np.ndarray:
    """Of the square: at its border flow also shows what is covered and uncovered."""
    return flow[place][8:-8, 8:-8].mean(axis=(0, 1))


@EACH_METHOD
def test_flow_points_to_where_the_square_goes(method) -> None:
    estimate = build_estimator(method)
    for step in ((2, 0), (0, 2), (1, -2)):
        frames, places = moving_square(step, 2)
        flow = estimate(*map(gray, frames))
        assert flow.shape == (64, 96, 2) and flow.dtype == np.float32
        np.testing.assert_allclose(middle(flow, places[0]), step, atol=0.5)
        assert np.abs(flow[:8, :8]).max() < 0.5


def test_a_method_that_is_not_there_is_named(monkeypatch) -> None:
    with pytest.raises(ValueError, match="Unknown flow method 'raft': choose one of tvl1, dis"):
        build_estimator("raft")
    monkeypatch.delattr(cv2, "optflow", raising=False)
    with pytest.raises(ImportError, match="opencv-contrib-python"):
        build_estimator("tvl1")
    still = np.zeros((32, 32), np.uint8)
    assert not build_estimator("dis")(still, still).any()


# What OpenCV's own capture read as nothing, as black, and as broken off.
KINDS = {
    "plain": ("v.avi", MJPEG),
    "av1": ("v.mp4", dict(codec="libsvtav1", options={"preset": "12"})),
    "interlaced": ("v.mp4", dict(options={"flags": "+ilme+ildct", "crf": "10"})),
    "late start": ("v.mkv", dict(stamps=range(125, 131), options={"crf": "10"})),
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_field_for_each_frame_and_the_last_repeated(tmp_path: Path, kind: str) -> None:
    name, settings = KINDS[kind]
    frames, places = moving_square((2, 0), 6)
    flow = list(video_flow(encode(tmp_path / name, frames, **settings), "dis", 64))
    assert len(flow) == 6 and flow[0].shape == (64, 96, 2)
    np.testing.assert_array_equal(flow[-1], flow[-2])
    for field, place in zip(flow[:-1], places):
        np.testing.assert_allclose(middle(field, place)[0], 2, atol=0.4)


def test_every_fourth_frame_of_a_video(tmp_path: Path) -> None:
    video = encode(tmp_path / "v.avi", moving_square((2, 1), 10)[0], **MJPEG)
    every = list(video_flow(video, "dis", 64))
    np.testing.assert_array_equal(list(sampled_flow(video, "dis", 64, step=4)), every[:9:4])


def test_flow_is_in_pixels_of_the_scaled_frame(tmp_path: Path) -> None:
    frames, places = moving_square((4, 0), 3, size=(192, 128))
    video = encode(tmp_path / "v.avi", [cv2.resize(f, (384, 256)) for f in frames], **MJPEG)
    flow = next(video_flow(video, "dis", 128))  # moves by 8 pixels in the file
    assert flow.shape == (128, 192, 2)
    np.testing.assert_allclose(middle(flow, places[0])[0], 4, atol=0.6)


def test_frames_are_scaled_down_never_up(tmp_path: Path) -> None:
    for size, stored in (((96, 64), (64, 96)), ((64, 96), (96, 64)), ((150, 102), (64, 94))):
        # A video of one frame does not move.
        video = encode(tmp_path / "v.avi", moving_square((0, 0), 1, size=size)[0], **MJPEG)
        (flow,) = video_flow(video, "dis", 64)
        assert flow.shape == (*stored, 2) and not flow.any()
        assert next(video_flow(video, "dis", 500)).shape[:2] == size[::-1]


def test_what_is_no_video_or_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    with pytest.raises(UnreadableVideoError, match=r"v\.mp4 does not exist"):
        next(video_flow(path, "dis", 64))
    path.write_bytes(b"no video at all")
    with pytest.raises(UnreadableVideoError, match=r"v\.mp4 cannot be opened"):
        next(video_flow(path, "dis", 64))
    for name in ("v.avi", "v.mkv"):
        path = encode(tmp_path / name, moving_square((0, 0), 40)[0], **MJPEG)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(UnreadableVideoError, match=r"stops decoding after \d+ of 40 frames"):
            list(video_flow(path, "dis", 64))
