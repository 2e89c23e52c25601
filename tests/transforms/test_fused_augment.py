"""Against a plain reference: floats, one frame at a time, one step after the other."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from mmaction.datasets.transforms import FormatShape, PackActionInputs, RandomResizedCrop
from scipy.ndimage import correlate1d, map_coordinates, zoom

from slic_mmaction.transforms import ClipAugment
from slic_mmaction.transforms.clip_draws import UNIFORMS, Appearance, ClipDraws, draw_clips
from slic_mmaction.transforms.fused_augment import change_appearance

TOLERANCE = 2.0  # grey levels, mean over a clip
LUMA = np.array([0.299, 0.587, 0.114])


def quantised(frame: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(frame), 0, 255)


def plain_crop(frame: np.ndarray, box: tuple[int, int, int, int], size: int) -> np.ndarray:
    left, top, right, bottom = box
    part = frame[top:bottom, left:right].astype(float)
    y, x = ((np.arange(size) + 0.5) * side / size - 0.5 for side in part.shape[:2])
    grid = np.meshgrid(y, x, indexing="ij")
    bands = [map_coordinates(part[..., c], grid, order=1, mode="nearest") for c in range(3)]
    return quantised(np.stack(bands, axis=-1))


def plain_jitter(frame: np.ndarray, operation: int, factor: float) -> np.ndarray:
    gray = quantised(frame @ LUMA)
    if operation == 3:
        hsv = rgb_to_hsv(frame / 255)
        hsv[..., 0] = (hsv[..., 0] + factor) % 1
        return quantised(255 * hsv_to_rgb(hsv))
    other = (0.0, np.rint(gray.mean()), gray[..., None])[operation]
    return quantised(other + factor * (frame - other))


def plain_appearance(frame: np.ndarray, draws: ClipDraws, n: int, a: Appearance) -> np.ndarray:
    frame = frame.astype(float)
    if draws.flip[n]:
        frame = frame[:, ::-1]
    for operation in draws.order[n]:
        if draws.factors[n, operation] != (1, 1, 1, 0)[operation]:
            frame = plain_jitter(frame, operation, draws.factors[n, operation])
    if draws.gray[n]:
        frame = np.repeat(quantised(frame @ LUMA)[..., None], 3, axis=-1)
    if draws.blur[n]:
        taps = np.arange(a.blur_kernel) - a.blur_kernel // 2
        kernel = np.exp(-(taps**2) / (2 * a.blur_sigma**2))
        for axis in (0, 1):
            frame = correlate1d(frame, kernel / kernel.sum(), axis=axis, mode="mirror")
        frame = quantised(frame)
    return frame


def noise(frames: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def picture(frames: int, height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(3).uniform(-40, 300, (frames, 5, 6, 3))
    return quantised(zoom(coarse, (1, height / 5, width / 6, 1), order=3)).astype(np.uint8)


def assert_near(ours: np.ndarray, plain: np.ndarray) -> None:
    assert ours.dtype == np.uint8 and ours.shape == plain.shape
    assert np.abs(ours.astype(float) - plain).mean() <= TOLERANCE


@pytest.mark.parametrize("clip", [noise(2, 20, 24), picture(2, 20, 24)], ids=["noise", "picture"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_every_order_of_operations(clip: np.ndarray, order: tuple[int, ...]) -> None:
    appearance = Appearance(jitter_prob=1)
    uniforms = np.random.default_rng(sum(o * 4**i for i, o in enumerate(order))).random(
        (6, UNIFORMS)
    )
    uniforms[:, 8:12] = np.argsort(order) / 4
    draws = draw_clips(uniforms, appearance)
    for n in range(6):
        assert tuple(draws.order[n]) == order
        ours = change_appearance(clip, draws, n, appearance, is_flow=False)
        assert_near(ours, np.stack([plain_appearance(f, draws, n, appearance) for f in clip]))


@pytest.mark.parametrize("size", [(48, 64), (61, 37)], ids=["landscape", "odd portrait"])
@pytest.mark.parametrize("make", [noise, picture])
def test_the_whole_transform_for_the_same_draws(make, size: tuple[int, int]) -> None:
    """Also: clips of a sample are told apart, and a clip need not fill its last group."""
    clips, clip_len, side = 3, 6, 32
    imgs = list(make(clips * clip_len, *size))
    transform = ClipAugment(size=side, blur_kernel=7, blur_sigma=1.5, blur_prob=0.5)
    for seed in range(4):
        np.random.seed(seed)
        random.seed(seed)
        results = transform(dict(imgs=list(imgs), clip_len=clip_len))
        np.random.seed(seed)
        random.seed(seed)
        draws = draw_clips(np.random.random((clips, UNIFORMS)), transform.appearance)
        for n in range(clips):
            box = RandomResizedCrop.get_crop_bbox(size, (0.25, 1.0), (3 / 4, 4 / 3))
            frames = slice(n * clip_len, (n + 1) * clip_len)
            plain = [
                plain_appearance(plain_crop(f, box, side), draws, n, transform.appearance)
                for f in imgs[frames]
            ]
            assert_near(results["imgs"][frames], np.stack(plain))
        assert results["img_shape"] == (side, side)


def test_flow_is_negated_when_flipped_and_keeps_its_values() -> None:
    """A frame as large as the result, so that the crop of the whole changes nothing."""
    clip = noise(4, 16, 16)
    always = ClipAugment(16, (1, 1), (1, 1), flip_prob=1, jitter_prob=1, gray_prob=1, blur_prob=1)
    modalities = ["rgb", "flow", "difference"]
    results = dict(imgs=[*clip, *clip, *clip], clip_len=4, modalities=modalities)
    rgb, flow, difference = np.split(always(results)["imgs"], 3)
    np.testing.assert_array_equal(flow, 255 - clip[:, :, ::-1])
    np.testing.assert_array_equal(difference, clip[:, :, ::-1])
    assert np.ptp(rgb, axis=-1).max() == 0
    never = ClipAugment(16, (1, 1), (1, 1), flip_prob=0)
    kept = never(dict(imgs=list(clip), clip_len=4, modalities=["flow"]))
    np.testing.assert_array_equal(kept["imgs"], clip)


def test_one_draw_for_a_clip_and_another_for_the_next() -> None:
    frame = picture(1, 40, 32)[0]
    np.random.seed(0)
    random.seed(0)
    clips = np.split(ClipAugment(24)(dict(imgs=[frame] * 40, clip_len=5))["imgs"], 8)
    assert all((clip == clip[0]).all() for clip in clips)
    assert len({clip.tobytes() for clip in clips}) == 8


def test_it_packs_and_leaves_its_input_alone() -> None:
    imgs = list(noise(8, 30, 40))
    before = np.stack(imgs)
    results = ClipAugment(16)(dict(imgs=imgs, clip_len=4, num_clips=2))
    np.testing.assert_array_equal(before, np.stack(imgs))
    packed = PackActionInputs()(FormatShape("NCTHW")(results))
    assert packed["inputs"].shape == (2, 3, 4, 16, 16)


def test_settings_are_shown_and_unknown_ones_refused() -> None:
    assert "blur_prob=0.1" in repr(ClipAugment(blur_prob=0.1))
    with pytest.raises(TypeError, match="blurr_prob"):
        ClipAugment(blurr_prob=0.1)
