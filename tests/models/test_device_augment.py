"""Against the worker's operations for the same drawn parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from slic_mmaction.models import device_augment
from slic_mmaction.models.device_augment import augment_clips, blur_matrix
from slic_mmaction.transforms import clip_augment
from slic_mmaction.transforms.clip_augment import change_appearance
from slic_mmaction.transforms.clip_draws import UNIFORMS, Appearance, draw_clips

TOLERANCE = 2.0  # grey levels, mean over a clip


def noise(clips: int, frames: int = 3, height: int = 20, width: int = 24) -> np.ndarray:
    shape = (clips, frames, height, width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def pictures(clips: int) -> np.ndarray:
    """Smooth colours with saturated, black, white and grey parts."""
    phases = np.random.default_rng(1).uniform(0, 6.28, (clips, 3, 1, 1, 3))
    y, x = np.mgrid[:20, :24] / 5.0
    waves = 128 + 200 * np.sin(phases + (x + 2 * y)[..., None] * [1, 0.7, 1.3])
    waves[:, :, :4] = waves[:, :, :4].mean(axis=-1, keepdims=True)
    return np.clip(waves, 0, 255).astype(np.uint8)


def to_device(clips: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(clips).permute(0, 4, 1, 2, 3).contiguous()


def mean_difference(ours: torch.Tensor, worker: np.ndarray) -> float:
    """Of the clip that differs most."""
    difference = (ours.permute(0, 2, 3, 4, 1).double() - torch.from_numpy(worker)).abs()
    return float(difference.flatten(1).mean(dim=1).max())


@pytest.mark.parametrize("make", [noise, pictures])
@pytest.mark.parametrize(
    ("name", "factors", "tolerance"),
    [
        ("adjust_brightness", [0.5, 0.8, 1.0, 1.5], 0.01),
        ("adjust_contrast", [0.5, 0.8, 1.0, 1.5], 0.05),
        ("adjust_saturation", [0.0, 0.5, 1.0, 1.5], 0.3),
        ("adjust_hue", [-0.5, -0.2, 0.0, 0.4], 0.7),
    ],
)
def test_each_operation_is_the_workers(make, name: str, factors: list[float], tolerance) -> None:
    clips = make(len(factors))
    operation = getattr(device_augment, name)
    ours = operation(to_device(clips).float(), torch.tensor(factors)).round().clamp(0, 255)
    worker = np.stack([getattr(clip_augment, name)(c, f) for c, f in zip(clips, factors)])
    assert mean_difference(ours, worker) <= tolerance


def test_grey_is_the_workers() -> None:
    clips = noise(2)
    ours = device_augment.grayscale(to_device(clips).float())
    worker = np.stack([clip_augment.in_three_channels(clip_augment.to_gray(c)) for c in clips])
    assert mean_difference(ours, worker) < 0.01


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(0, 10), st.floats(0.3, 4))
def test_blur_matrix_is_a_mirrored_gaussian(side: int, half: int, sigma: float) -> None:
    """Also for rows shorter than the kernel."""
    row = np.random.default_rng(side).uniform(0, 255, side)
    taps = np.arange(-half, half + 1)
    kernel = np.exp(-(taps**2) / (2 * sigma**2))
    expected = correlate1d(row, kernel / kernel.sum(), mode="mirror")
    ours = (
        blur_matrix(side, 2 * half + 1, sigma, torch.device("cpu")) @ torch.from_numpy(row).float()
    )
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("make", [noise, pictures])
def test_a_batch_is_what_the_worker_makes_of_each_clip(make) -> None:
    """All orders of operations and combinations of the other draws, RGB and flow."""
    clips = make(100)
    is_flow = np.arange(100) % 5 == 0
    appearance = Appearance(jitter_prob=0.9, gray_prob=0.3, blur_prob=0.3)
    draws = draw_clips(np.random.default_rng(5).random((100, UNIFORMS)), appearance)
    assert len(np.unique(draws.order, axis=0)) == 24
    draws = draws.colors_only_on(~is_flow)
    ours = augment_clips(to_device(clips), draws, appearance, is_flow)
    assert ours.dtype == torch.uint8
    worker = np.stack(
        [change_appearance(c, draws, n, appearance, is_flow[n]) for n, c in enumerate(clips)]
    )
    assert mean_difference(ours, worker) <= TOLERANCE
    np.testing.assert_array_equal(ours[is_flow], to_device(worker[is_flow]))


def test_the_rest_of_the_batch_makes_no_difference() -> None:
    clips, none = noise(12), np.zeros(12, bool)
    uniforms = np.random.default_rng(6).random((12, UNIFORMS))
    draws = draw_clips(uniforms, Appearance())
    together = augment_clips(to_device(clips), draws, Appearance(), none)
    for n in range(12):
        draws = draw_clips(uniforms[n : n + 1], Appearance())
        alone = augment_clips(to_device(clips[n : n + 1]), draws, Appearance(), none[:1])
        assert torch.equal(alone[0], together[n])
