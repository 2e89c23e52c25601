"""Motion boundary histograms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slic_mmaction.pseudo_labels.motion import (
    BINS,
    CELLS,
    DIMENSIONS,
    motion_boundary_histograms,
)


def reflected(index: int, size: int) -> int:
    """OpenCV's default border: gfedcb|abcdefgh|gfedcba."""
    return -index if index < 0 else 2 * size - 2 - index if index >= size else index


def brute_force(flow: list[np.ndarray]) -> np.ndarray:
    votes = np.zeros((CELLS, CELLS, 2, BINS))
    for field in flow:
        height, width, _ = field.shape
        for y in range(height):
            for x in range(width):
                for c in range(2):
                    left, right = reflected(x - 1, width), reflected(x + 1, width)
                    above, below = reflected(y - 1, height), reflected(y + 1, height)
                    dx = float(field[y, right, c]) - float(field[y, left, c])
                    dy = float(field[below, x, c]) - float(field[above, x, c])
                    turn = math.atan2(dy, dx) / (2 * math.pi) % 1.0
                    cell = y * CELLS // height, x * CELLS // width
                    votes[(*cell, c, int(turn * BINS) % BINS)] += math.hypot(dx, dy)
    return np.sqrt(votes.ravel() / votes.sum())


def test_against_loops() -> None:
    rng = np.random.default_rng(0)
    for size in ((8, 12), (5, 7), (9, 4)):
        flow = [rng.normal(size=(*size, 2)).astype(np.float32) for _ in range(3)]
        got, expected = motion_boundary_histograms(flow), brute_force(flow)
        assert got.shape == (DIMENSIONS,) and got.dtype == np.float32
        # cartToPolar is good to 0.3 degrees: a vote on the border of two bins may go to either.
        np.testing.assert_allclose(got, expected, atol=0.03)
        assert np.abs(got - expected).mean() < 2e-3


fields = hnp.arrays(np.float32, (6, 8, 2), elements=st.floats(-4, 4, width=16))


@given(fields, st.floats(-8, 8, width=16), st.floats(-8, 8, width=16))
@settings(deadline=None, max_examples=50)
def test_a_moving_camera_and_the_speed_change_nothing(
    field: np.ndarray, u: float, v: float
) -> None:
    alone = motion_boundary_histograms([field])
    panned = motion_boundary_histograms([field + np.float32([u, v])])
    np.testing.assert_allclose(panned, alone, atol=0.05)
    np.testing.assert_allclose(motion_boundary_histograms([2 * field]), alone, atol=1e-5)
    np.testing.assert_allclose(motion_boundary_histograms([field, field]), alone, atol=1e-5)
    assert np.linalg.norm(alone) == pytest.approx(1, abs=1e-4) or not alone.any()


def test_the_orientation_of_one_edge() -> None:
    field = np.zeros((8, 8, 2), np.float32)
    field[:, 4:, 1] = 1  # what lies to the right moves down
    found = motion_boundary_histograms([field]).reshape(CELLS, CELLS, 2, BINS)
    assert not found[:, :, 0].any(), "nothing moves to the side"
    assert not found[..., 1:].any(), "the gradient points to the right"
    assert not found[:, [0, 3]].any() and (found[:, 1:3, 1, 0] > 0).all()


def test_nothing_that_moves_is_all_zero() -> None:
    assert not motion_boundary_histograms([]).any()
    assert not motion_boundary_histograms([np.zeros((4, 4, 2), np.float32)]).any()


def test_what_moves_alike_is_near_at_any_size() -> None:
    def describe(height: int, width: int, motion: tuple[float, float]) -> np.ndarray:
        field = np.zeros((height, width, 2), np.float32)
        field[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = motion
        return motion_boundary_histograms([field])

    right, larger, down = (
        describe(64, 96, (2, 0)),
        describe(80, 120, (3, 0)),
        describe(64, 96, (0, 2)),
    )
    assert right @ larger > 0.95 and right @ down == 0
