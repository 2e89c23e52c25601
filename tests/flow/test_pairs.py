from __future__ import annotations

import numpy as np
import pytest

from slic_mmaction.flow import forward_images


def difference(frame: np.ndarray, following: np.ndarray) -> np.ndarray:
    return following - frame


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0, 1, 2, 3], [1, 2, 4, 4]),
        ([5, 6, 7], [32, 64, 64]),
        ([0, 2, 4], [3, 12, 12]),
        ([0, 1, 2, 0, 1, 2, 0], [1, 2, 2, 1, 2, 2, 2]),
        ([3, 0, 1], [0, 1, 1]),
        ([0, 0, 0], [0, 0, 0]),
        ([4], [0]),
    ],
)
def test_image_leads_to_the_next_frame_or_repeats(numbers, expected) -> None:
    """Frame n shows 2**n, so the difference tells the pair."""
    frames = [np.array([2**n]) for n in numbers]
    images = forward_images(frames, numbers, difference)
    assert [int(image[0]) for image in images] == expected


def test_a_looped_video_estimates_each_pair_once() -> None:
    calls = []

    def image(frame: np.ndarray, following: np.ndarray) -> np.ndarray:
        calls.append((int(frame[0]), int(following[0])))
        return frame

    numbers = [0, 1, 2] * 5
    forward_images([np.array([n]) for n in numbers], numbers, image)
    assert calls == [(0, 1), (1, 2)]
