from __future__ import annotations

import cv2
import numpy as np
import pytest

from slic_mmaction.flow import METHODS, build_estimator

HAS_TVL1 = hasattr(cv2, "optflow")
EACH_METHOD = pytest.mark.parametrize(
    "method",
    [
        pytest.param(
            m,
            marks=pytest.mark.skipif(
                m == "tvl1" and not HAS_TVL1, reason="this OpenCV has no contrib modules"
            ),
        )
        for m in METHODS
    ],
)


def gray(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


@EACH_METHOD
@pytest.mark.parametrize("step", [(2, 0), (-2, 0), (0, 2), (1, -2)])
def test_flow_points_to_where_the_square_goes(moving_square, method, step) -> None:
    frames, places = moving_square(step, 2)
    flow = build_estimator(method)(*map(gray, frames))
    assert flow.shape == (64, 96, 2) and flow.dtype == np.float32
    # Its middle: at the border flow also shows what is covered and uncovered.
    middle = flow[places[0]][8:-8, 8:-8].mean(axis=(0, 1))
    np.testing.assert_allclose(middle, step, atol=0.5)
    assert np.abs(flow[:8, :8]).max() < 0.5


@EACH_METHOD
def test_mirrored_video_has_mirrored_and_negated_horizontal_flow(moving_square, method) -> None:
    frames, places = moving_square((2, 0), 2)
    estimate = build_estimator(method)
    right = estimate(*map(gray, frames))[..., 0]
    left = estimate(*(gray(np.ascontiguousarray(f[:, ::-1])) for f in frames))[..., 0]
    mirrored = -left[:, ::-1]
    assert np.abs(right - mirrored).mean() < 0.15
    np.testing.assert_allclose(
        right[places[0]][8:-8, 8:-8], mirrored[places[0]][8:-8, 8:-8], atol=0.5
    )


def test_unknown_method_is_named() -> None:
    with pytest.raises(ValueError, match="Unknown flow method 'raft': use one of tvl1, dis"):
        build_estimator("raft")


def test_missing_contrib_names_the_package(monkeypatch) -> None:
    monkeypatch.delattr(cv2, "optflow", raising=False)
    with pytest.raises(ImportError, match="opencv-contrib-python"):
        build_estimator("tvl1")
    assert (
        build_estimator("dis")(np.zeros((32, 32), np.uint8), np.zeros((32, 32), np.uint8)).any()
        == 0
    )
