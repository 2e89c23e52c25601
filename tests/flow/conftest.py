"""A textured square that moves over a still, textured ground."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

SIDE = 24
Place = tuple[slice, slice]


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """(height, width, 3) uint8 with structure that flow can follow."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="session")
def moving_square() -> Callable[..., tuple[list[np.ndarray], list[Place]]]:
    """Make frames of a square moving by ``step`` pixels (right, down), and where it is."""

    def make(
        step: tuple[int, int], num_frames: int, size: tuple[int, int] = (96, 64)
    ) -> tuple[list[np.ndarray], list[Place]]:
        width, height = size
        ground, square = texture(height, width, 0), texture(SIDE, SIDE, 1)
        x = (width - SIDE) // 2 - step[0] * num_frames // 2
        y = (height - SIDE) // 2 - step[1] * num_frames // 2
        frames, places = [], []
        for t in range(num_frames):
            top, left = y + step[1] * t, x + step[0] * t
            place = (slice(top, top + SIDE), slice(left, left + SIDE))
            frame = ground.copy()
            frame[place] = square
            frames.append(frame)
            places.append(place)
        return frames, places

    return make
