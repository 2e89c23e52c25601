"""Against Pillow's operations, on which the paper's augmentation was built."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from scipy.ndimage import correlate1d

from slic_mmaction.transforms import color


@pytest.fixture
def clip() -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)
    frames = [np.asarray(Image.fromarray(f).resize((64, 48), Image.BICUBIC)) for f in smooth]
    return np.stack(frames)


def each_frame(clip: np.ndarray, operation) -> np.ndarray:
    return np.stack([np.asarray(operation(Image.fromarray(frame))) for frame in clip])


def assert_close(ours: np.ndarray, reference: np.ndarray, mean: float) -> None:
    assert ours.dtype == np.uint8 and ours.shape == reference.shape
    assert np.abs(ours.astype(int) - reference.astype(int)).mean() <= mean


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.9, 1.0, 1.3, 1.5, 2.0])
@pytest.mark.parametrize(
    ("ours", "enhancer"),
    [
        (color.adjust_brightness, ImageEnhance.Brightness),
        (color.adjust_contrast, ImageEnhance.Contrast),
        (color.adjust_saturation, ImageEnhance.Color),
    ],
)
def test_enhancements_equal_pillow(clip, ours, enhancer, factor) -> None:
    reference = each_frame(clip, lambda image: enhancer(image).enhance(factor))
    assert_close(ours(clip, factor), reference, mean=1.0)


@pytest.mark.parametrize("shift", [-0.5, -0.3, -0.01, 0.0, 0.1, 0.25, 0.5])
def test_hue_equals_pillow(clip, shift) -> None:
    def rotate(image: Image.Image) -> Image.Image:
        hsv = np.array(image.convert("HSV"))
        hsv[..., 0] += np.uint8(round(shift * 256) % 256)
        bands = [Image.fromarray(hsv[..., band]) for band in range(3)]
        return Image.merge("HSV", bands).convert("RGB")

    reference = each_frame(clip, rotate)
    assert_close(color.adjust_hue(clip, shift), reference, mean=2.0)


def test_gray_equals_pillow(clip) -> None:
    reference = each_frame(clip, lambda image: image.convert("L").convert("RGB"))
    assert_close(color.grayscale(clip), reference, mean=0.5)


def test_blur_is_near_pillow_and_keeps_a_constant(clip) -> None:
    inner = (slice(None), slice(10, -10), slice(10, -10))
    reference = each_frame(clip, lambda image: image.filter(ImageFilter.GaussianBlur(2)))
    assert_close(color.gaussian_blur(clip, 15, 2.0)[inner], reference[inner], mean=2.0)
    flat = np.full((2, 16, 16, 3), 77, np.uint8)
    np.testing.assert_array_equal(color.gaussian_blur(flat, 15, 2.0), flat)


def test_blur_is_the_exact_one_rounded(clip) -> None:
    taps = np.arange(-7, 8)
    kernel = np.exp(-(taps**2) / (2 * 2.0**2))
    exact = clip.astype(float)
    for axis in (1, 2):
        exact = correlate1d(exact, kernel / kernel.sum(), axis=axis, mode="mirror")
    assert np.abs(color.gaussian_blur(clip, 15, 2.0) - exact).max() < 0.6
    gray = color.to_gray(clip)
    np.testing.assert_array_equal(
        color.in_three_channels(color.gaussian_blur(gray, 15, 2.0)),
        color.gaussian_blur(color.grayscale(clip), 15, 2.0),
    )


def test_contrast_is_each_frames_own(clip) -> None:
    dark = clip // 4
    together = color.adjust_contrast(np.concatenate([clip, dark]), 0.5)
    np.testing.assert_array_equal(together[: len(clip)], color.adjust_contrast(clip, 0.5))
    np.testing.assert_array_equal(together[len(clip) :], color.adjust_contrast(dark, 0.5))
