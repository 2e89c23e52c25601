from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.flow import flow_levels, to_levels


@pytest.mark.parametrize(
    ("value", "level"), [(0, 128), (20, 255), (-20, 0), (35, 255), (-35, 0), (10, 191), (-10, 64)]
)
def test_documented_levels(value: float, level: int) -> None:
    assert to_levels(np.array([value]), 20) == level


@settings(deadline=None, max_examples=50)
@given(st.floats(-50, 50, width=32), st.floats(0.5, 40))
def test_levels_are_the_formula_and_turn_back_within_half_a_level(value, bound) -> None:
    level = int(to_levels(np.array([value]), bound)[0])
    clipped = min(max(value, -bound), bound)
    assert abs(level - (clipped + bound) * 255 / (2 * bound)) <= 0.5 + 1e-3
    assert abs(level * 2 * bound / 255 - bound - clipped) <= bound / 255 * 1.01


@settings(deadline=None, max_examples=50)
@given(st.floats(-30, 30, width=32))
def test_negation_is_255_minus_the_level(value: float) -> None:
    there, back = (int(to_levels(np.array([v]), 20)[0]) for v in (value, -value))
    # Zero itself, and other values half-way between two levels, may differ by one.
    assert abs((255 - there) - back) <= 1


def test_same_motion_has_the_same_grey_at_every_resolution() -> None:
    small = np.full((128, 171), 3.0, np.float32)
    large = np.full((240, 320), 3.0 * 240 / 128, np.float32)
    assert (flow_levels(small)[0, 0] == flow_levels(large)).all()
    assert (flow_levels(small.T) == flow_levels(small)[0, 0]).all()
    np.testing.assert_array_equal(flow_levels(large), to_levels(large, 20))


def test_resized_image_is_the_flow_of_resized_frames() -> None:
    """Upscaling the image or the displacement field comes to the same."""
    rng = np.random.default_rng(0)
    field = cv2.resize(rng.uniform(-4, 4, (8, 10)).astype(np.float32), (171, 128))
    image = cv2.resize(flow_levels(field), (320, 240)).astype(int)
    upscaled = cv2.resize(field, (320, 240)) * (240 / 128)
    assert np.abs(image - flow_levels(upscaled)).max() <= 1
