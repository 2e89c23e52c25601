from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.flow.images import flow_levels, forward_images, to_levels


def test_documented_levels() -> None:
    values = np.array([0, 20, -20, 35, -35, 10, -10])
    assert to_levels(values, 20).tolist() == [128, 255, 0, 255, 0, 191, 64]


@settings(deadline=None, max_examples=50)
@given(st.floats(-50, 50, width=32), st.floats(0.5, 40))
def test_levels_are_the_formula_and_turn_back_within_half_a_level(value, bound) -> None:
    level, negated = to_levels(np.array([value, -value]), bound).astype(int)
    clipped = min(max(value, -bound), bound)
    assert abs(level - (clipped + bound) * 255 / (2 * bound)) <= 0.5 + 1e-3
    assert abs(level * 2 * bound / 255 - bound - clipped) <= bound / 255 * 1.01
    # Zero itself, and other values half-way between two levels, may differ by one.
    assert abs((255 - level) - negated) <= 1


def test_same_motion_has_the_same_grey_at_every_resolution() -> None:
    small = np.full((128, 171), 3.0, np.float32)
    large = np.full((240, 320), 3.0 * 240 / 128, np.float32)
    assert (flow_levels(small)[0, 0] == flow_levels(large)).all()
    assert (flow_levels(small.T) == flow_levels(small)[0, 0]).all()
    np.testing.assert_array_equal(flow_levels(large), to_levels(large, 20))
    # Upscaling the image or the displacement field comes to the same.
    rng = np.random.default_rng(0)
    field = cv2.resize(rng.uniform(-4, 4, (8, 10)).astype(np.float32), (171, 128))
    image = cv2.resize(flow_levels(field), (320, 240)).astype(int)
    upscaled = cv2.resize(field, (320, 240)) * (240 / 128)
    assert np.abs(image - flow_levels(upscaled)).max() <= 1


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([5, 6, 7, 8], [32, 64, 128, 128]),
        ([0, 2, 4], [3, 12, 12]),
        ([0, 1, 2, 0, 1, 2, 0], [1, 2, 2, 1, 2, 2, 2]),
        ([3, 0, 1], [0, 1, 1]),
        ([0, 0, 0], [0, 0, 0]),
        ([4], [0]),
    ],
)
def test_image_leads_to_the_next_frame_or_repeats(numbers, expected) -> None:
    """Frame n shows 2**n, so the difference tells the pair; each pair is estimated once."""
    pairs = []

    def difference(frame: np.ndarray, following: np.ndarray) -> np.ndarray:
        pairs.append((int(frame[0]), int(following[0])))
        return following - frame

    images = forward_images([np.array([2**n]) for n in numbers], numbers, difference)
    assert [int(image[0]) for image in images] == expected
    moving = [(a, b) for a, b in pairs if a != b]
    assert len(set(moving)) == len(moving)
