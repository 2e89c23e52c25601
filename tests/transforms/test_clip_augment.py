from __future__ import annotations

import random

import cv2
import numpy as np
import pytest

from slic_mmaction.transforms import (
    ClipColorJitter,
    ClipFlip,
    ClipGaussianBlur,
    ClipGrayscale,
    ClipRandomResizedCrop,
)

PAPER = [
    ClipRandomResizedCrop(size=24),
    ClipFlip(),
    ClipColorJitter(),
    ClipGrayscale(),
    ClipGaussianBlur(),
]


def seed(value: int) -> None:
    random.seed(value)
    np.random.seed(value)


def picture(size: tuple[int, int] = (40, 32)) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)


def sample(num_clips: int, clip_len: int = 4) -> dict:
    return dict(imgs=[picture() for _ in range(num_clips * clip_len)], clip_len=clip_len)


@pytest.mark.parametrize("transform", [*PAPER, None], ids=lambda t: type(t).__name__)
def test_one_draw_for_a_clip_and_another_for_the_next(transform) -> None:
    """Equal frames stay equal within a clip; two clips of a sample differ."""
    steps = PAPER if transform is None else [transform]
    differed = False
    for value in range(20):
        seed(value)
        results = sample(num_clips=2)
        for step in steps:
            results = step(results)
        first, second = np.split(np.stack(results["imgs"]), 2)
        assert (first == first[:1]).all() and (second == second[:1]).all()
        assert first.dtype == np.uint8
        differed |= not np.array_equal(first, second)
    assert differed


@pytest.mark.parametrize(
    ("transform", "prob"),
    [
        (ClipFlip(), 0.5),
        (ClipColorJitter(), 0.8),
        (ClipGrayscale(), 0.2),
        (ClipGaussianBlur(), 0.2),
    ],
    ids=lambda v: type(v).__name__,
)
def test_applied_with_its_probability(transform, prob: float) -> None:
    seed(0)
    clips = 500
    results = transform(sample(clips, clip_len=1))
    changed = sum(not np.array_equal(img, picture()) for img in results["imgs"])
    assert abs(changed / clips - prob) < 4 * np.sqrt(prob * (1 - prob) / clips)


def test_flip_mirrors_and_crop_sets_the_shape() -> None:
    flipped = ClipFlip(prob=1)(sample(1))["imgs"]
    np.testing.assert_array_equal(flipped[0], picture()[:, ::-1])
    cropped = ClipRandomResizedCrop(size=20)(sample(2))
    assert cropped["img_shape"] == (20, 20) and cropped["imgs"][0].shape == (20, 20, 3)


def test_crops_keep_to_area_and_ratio() -> None:
    """A ramp in x and y tells from the corners which box was shown."""
    height, width = 90, 120
    ramp = np.zeros((height, width, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(width), np.arange(height)[:, None]
    for value in range(100):
        seed(value)
        out = ClipRandomResizedCrop(size=64)(dict(imgs=[ramp], clip_len=1))["imgs"][0].astype(int)
        crop_w = np.ptp(out[..., 0]) + 1
        crop_h = np.ptp(out[..., 1]) + 1
        assert 0.25 * 0.9 <= crop_w * crop_h / (height * width) <= 1.0
        assert 0.75 * 0.93 <= crop_w / crop_h <= 4 / 3 * 1.07


def test_jitter_order_and_strength_vary() -> None:
    out = set()
    for value in range(30):
        seed(value)
        out.add(ClipColorJitter(prob=1)(sample(1, 1))["imgs"][0].tobytes())
    assert len(out) == 30
    unchanged = ClipColorJitter(0, 0, 0, 0, prob=1)(sample(1))["imgs"]
    np.testing.assert_array_equal(unchanged[0], picture())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ClipFlip(prob=1.5), "prob in 0..1"),
        (lambda: ClipColorJitter(hue=0.7), "hue in 0..0.5"),
        (lambda: ClipGaussianBlur(kernel_size=4), "odd kernel_size"),
    ],
)
def test_bad_settings_are_named(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("transform", PAPER, ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("modality", ["flow", "difference"])
def test_only_crop_and_flip_touch_what_is_not_rgb(transform, modality: str) -> None:
    """And the other clips get what they would have got."""
    moved = isinstance(transform, (ClipRandomResizedCrop, ClipFlip))
    changed = False
    for value in range(20):
        seed(value)
        plain = np.split(np.stack(transform(sample(3))["imgs"]), 3)
        seed(value)
        mixed = dict(sample(3), modalities=["rgb", modality, "rgb"])
        first, middle, last = np.split(np.stack(transform(mixed)["imgs"]), 3)
        np.testing.assert_array_equal(first, plain[0])
        if type(transform) is not ClipColorJitter:  # the jitter's strengths are drawn in turn
            np.testing.assert_array_equal(last, plain[2])
        changed |= not np.array_equal(middle, sample(1)["imgs"])
    assert changed == moved


def test_flip_negates_flow_alone() -> None:
    for modality in ("rgb", "flow", "difference"):
        flipped = ClipFlip(prob=1)(dict(sample(1), modalities=[modality]))["imgs"][0]
        mirrored = picture()[:, ::-1]
        np.testing.assert_array_equal(flipped, 255 - mirrored if modality == "flow" else mirrored)
