from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from slic_mmaction.flow import BrokenVideoError, video_flow


def test_one_field_for_each_frame_and_the_last_repeated(
    moving_square, write_video, tmp_path: Path
) -> None:
    frames, places = moving_square((2, 0), 6)
    flow = list(video_flow(write_video(tmp_path / "v.avi", frames), "dis", 64))
    assert len(flow) == 6 and flow[0].shape == (64, 96, 2)
    np.testing.assert_array_equal(flow[-1], flow[-2])
    for field, place in zip(flow[:-1], places):
        np.testing.assert_allclose(field[place][8:-8, 8:-8, 0].mean(), 2, atol=0.4)


def test_flow_is_in_pixels_of_the_scaled_frame(moving_square, write_video, tmp_path: Path) -> None:
    frames, places = moving_square((4, 0), 3, size=(192, 128))
    video = write_video(tmp_path / "v.avi", [cv2.resize(f, (384, 256)) for f in frames])
    flow = next(video_flow(video, "dis", 128))  # moves by 8 pixels in the file
    assert flow.shape == (128, 192, 2)
    np.testing.assert_allclose(flow[places[0]][8:-8, 8:-8, 0].mean(), 4, atol=0.6)


@pytest.mark.parametrize(
    ("size", "stored"), [((96, 64), (64, 96)), ((64, 96), (96, 64)), ((150, 102), (64, 94))]
)
def test_frames_are_scaled_down_never_up(
    moving_square, write_video, tmp_path: Path, size, stored
) -> None:
    frames, _ = moving_square((0, 0), 2, size=size)
    video = write_video(tmp_path / "v.avi", frames)
    assert next(video_flow(video, "dis", 64)).shape[:2] == stored
    assert next(video_flow(video, "dis", 500)).shape[:2] == size[::-1]


def test_one_frame_does_not_move(moving_square, write_video, tmp_path: Path) -> None:
    frames, _ = moving_square((0, 0), 1)
    (flow,) = video_flow(write_video(tmp_path / "v.avi", frames), "dis", 64)
    assert flow.shape == (64, 96, 2) and not flow.any()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be opened"),
        (b"no video at all", "cannot be opened"),
        (None, "is missing"),
    ],
)
def test_broken_videos(tmp_path: Path, content, reason: str) -> None:
    path = tmp_path / "v.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BrokenVideoError, match=reason):
        next(video_flow(path, "dis", 64))


def test_cut_off_video_is_broken(moving_square, write_video, tmp_path: Path) -> None:
    frames, _ = moving_square((0, 0), 40)
    path = write_video(tmp_path / "v.avi", frames)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BrokenVideoError, match=r"stops decoding after \d+ of 40 frames"):
        list(video_flow(path, "dis", 64))
