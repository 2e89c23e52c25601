from __future__ import annotations

import itertools
import random
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmaction.datasets.transforms import FormatShape, PackActionInputs, RandomResizedCrop
from mmaction.visualization import ActionVisualizer
from mmengine.config import Config
from PIL import Image, ImageEnhance, ImageFilter
from scipy.ndimage import correlate1d, map_coordinates

from slic_mmaction.stock_tools import stock_tool
from slic_mmaction.transforms import ClipAugment, clip_augment
from slic_mmaction.transforms.clip_augment import change_appearance
from slic_mmaction.transforms.clip_draws import UNIFORMS, Appearance, ClipDraws, draw_clips

OPERATIONS = ("adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_hue")


def pictures(frames: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Smooth colours, other ones in each frame."""
    coarse = np.random.default_rng(0).integers(0, 256, (frames, 6, 8, 3), dtype=np.uint8)
    images = [Image.fromarray(f).resize((width, height), Image.BICUBIC) for f in coarse]
    return np.stack([np.asarray(image) for image in images])


def rotated(image: Image.Image, shift: float) -> Image.Image:
    hsv = np.array(image.convert("HSV"))
    hsv[..., 0] += np.uint8(round(shift * 256) % 256)
    return Image.merge("HSV", [Image.fromarray(band) for band in np.moveaxis(hsv, -1, 0)])


def luma(image: Image.Image, _: float = 0) -> Image.Image:
    return image.convert("L")


@pytest.mark.parametrize(
    ("name", "pillow", "factors", "tolerance"),
    [
        ("adjust_brightness", lambda i, f: ImageEnhance.Brightness(i).enhance(f), (0, 0.5, 2), 1),
        ("adjust_contrast", lambda i, f: ImageEnhance.Contrast(i).enhance(f), (0, 0.9, 1.5), 1),
        ("adjust_saturation", lambda i, f: ImageEnhance.Color(i).enhance(f), (0, 1.3, 2), 1),
        ("adjust_hue", rotated, (-0.5, -0.3, 0, 0.1, 0.25), 2),
    ],
)
def test_colours_change_as_by_pillow(name: str, pillow, factors, tolerance: float) -> None:
    """On which the paper's augmentation was built; each frame is changed on its own."""
    clip = pictures(4)
    for factor in factors:
        ours = getattr(clip_augment, name)(clip, factor)
        plain = [pillow(Image.fromarray(frame), factor).convert("RGB") for frame in clip]
        difference = np.abs(ours.astype(int) - np.stack([np.array(i) for i in plain]).astype(int))
        assert ours.dtype == np.uint8 and difference.mean() <= tolerance, factor


def test_grey_and_blur() -> None:
    clip = pictures(3)
    gray = clip_augment.to_gray(clip)
    plain = np.stack([np.asarray(Image.fromarray(frame).convert("L")) for frame in clip])
    assert np.abs(gray.astype(int) - plain).max() <= 1
    kernel = np.exp(-(np.arange(-7, 8) ** 2) / (2 * 2.0**2))
    exact = clip.astype(float)
    for axis in (1, 2):
        exact = correlate1d(exact, kernel / kernel.sum(), axis=axis, mode="mirror")
    blurred = clip_augment.gaussian_blur(clip, 15, 2.0)
    assert np.abs(blurred - exact).max() < 0.6
    pillow = [Image.fromarray(frame).filter(ImageFilter.GaussianBlur(2)) for frame in clip]
    inner = (slice(None), slice(10, -10), slice(10, -10))
    assert np.abs(blurred - np.stack([np.array(i) for i in pillow]).astype(int))[inner].mean() < 2
    # A grey clip is blurred in one channel.
    np.testing.assert_array_equal(
        clip_augment.in_three_channels(clip_augment.gaussian_blur(gray, 15, 2.0)),
        clip_augment.gaussian_blur(clip_augment.in_three_channels(gray), 15, 2.0),
    )


def one_by_one(
    clip: np.ndarray, draws: ClipDraws, n: int, appearance: Appearance, modality: str = "rgb"
) -> np.ndarray:
    """The drawn changes in their order, spelled out."""
    if draws.flip[n]:
        clip = np.ascontiguousarray(clip[:, :, ::-1])
        clip = 255 - clip if modality == "flow" else clip
    if modality != "rgb":
        return clip
    for operation in draws.order[n]:
        if draws.factors[n, operation] != (1, 1, 1, 0)[operation]:
            clip = getattr(clip_augment, OPERATIONS[operation])(clip, draws.factors[n, operation])
    if draws.gray[n]:
        clip = clip_augment.in_three_channels(clip_augment.to_gray(clip))
    if draws.blur[n]:
        clip = clip_augment.gaussian_blur(clip, appearance.blur_kernel, appearance.blur_sigma)
    return clip


def test_every_order_of_operations() -> None:
    orders = list(itertools.permutations(range(4)))
    appearance = Appearance(jitter_prob=0.9, gray_prob=0.4, blur_prob=0.4)
    uniforms = np.random.default_rng(1).random((48, UNIFORMS))
    uniforms[:, 8:12] = np.argsort(orders * 2) / 4
    draws = draw_clips(uniforms, appearance)
    assert [tuple(order) for order in draws.order] == orders * 2
    clip = pictures(2, 20, 24)
    for n in range(48):
        ours = change_appearance(clip, draws, n, appearance, is_flow=False)
        np.testing.assert_array_equal(ours, one_by_one(clip, draws, n, appearance))


def plain_crop(frame: np.ndarray, box: tuple[int, int, int, int], size: int) -> np.ndarray:
    left, top, right, bottom = box
    part = frame[top:bottom, left:right].astype(float)
    y, x = ((np.arange(size) + 0.5) * side / size - 0.5 for side in part.shape[:2])
    grid = np.meshgrid(y, x, indexing="ij")
    bands = [map_coordinates(part[..., c], grid, order=1, mode="nearest") for c in range(3)]
    return np.rint(np.stack(bands, axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("size", [(48, 64), (61, 37)], ids=["landscape", "odd portrait"])
def test_the_whole_transform(size: tuple[int, int], on_device: bool) -> None:
    """Numbers for all clips of a sample are drawn first, then their boxes."""
    modalities, clip_len, side = ["rgb", "flow", "difference", "rgb"], 9, 32
    imgs = list(pictures(4 * clip_len, *size))
    before = np.stack(imgs)
    options = {} if on_device else dict(blur_kernel=7, blur_prob=0.5)
    transform = ClipAugment(side, on_device=on_device, **options)
    for seed in range(4):
        np.random.seed(seed)
        random.seed(seed)
        results = transform(dict(imgs=imgs, clip_len=clip_len, modalities=modalities, num_clips=4))
        np.random.seed(seed)
        random.seed(seed)
        uniforms = np.random.random((4, UNIFORMS))
        draws = draw_clips(uniforms, transform.appearance)
        for n, modality in enumerate(modalities):
            box = RandomResizedCrop.get_crop_bbox(size, (0.25, 1.0), (3 / 4, 4 / 3))
            frames = slice(n * clip_len, (n + 1) * clip_len)
            plain = np.stack([plain_crop(frame, box, side) for frame in imgs[frames]])
            if not on_device:
                plain = one_by_one(plain, draws, n, transform.appearance, modality)
            difference = np.abs(np.stack(results["imgs"][frames]).astype(int) - plain)
            assert difference.mean() <= (0.5 if on_device else 2)
        assert results["img_shape"] == (side, side)
        np.testing.assert_array_equal(np.stack(imgs), before)
        pack = PackActionInputs(meta_keys=("modalities", "clip_draws"))
        packed = pack(FormatShape("NCTHW")(results))
        assert packed["inputs"].shape == (4, 3, clip_len, side, side)
        assert ("clip_draws" in packed["data_samples"]) == on_device
        if on_device:
            np.testing.assert_array_equal(packed["data_samples"].clip_draws, uniforms)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(size=0), ValueError, "a size of at least 1"),
        (dict(area_range=(0.5, 0.2)), ValueError, "from low to high"),
        (dict(on_device=True, hue=0.1), ValueError, "SLICDataPreprocessor's augment.* got hue"),
        (dict(blurr_prob=0.1), TypeError, "blurr_prob"),
    ],
)
def test_bad_settings_are_named(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ClipAugment(**options)
    assert "blur_prob=0.1" in repr(ClipAugment(blur_prob=0.1))


def test_browse_dataset_shows_a_pretraining_config_in_every_mode(
    tiny_config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MMAction2's tool; what it would write by moviepy, an optional package, is kept instead."""
    config, shown = tmp_path / "config.py", []
    tiny_config().dump(config)
    monkeypatch.setattr(
        ActionVisualizer, "add_datasample", lambda _, __, video, *a, **k: shown.append(video)
    )
    for mode in ("original", "transformed", "concat", "pipeline"):
        argv = ["browse_dataset.py", str(config), str(tmp_path), "-n", "1", "--mode", mode]
        monkeypatch.setattr("sys.argv", argv)
        runpy.run_path(str(stock_tool("visualizations/browse_dataset")), run_name="__main__")
    original, transformed, *side_by_side = shown
    assert {len(video) for video in shown} == {3 * 4}
    assert original[0].shape == (32, 40, 3) and transformed[0].shape == (16, 16, 3)
    # DecodeFrames and ClipAugment, beside each other.
    assert all(video[0].shape[1] >= 40 + 16 for video in side_by_side)
