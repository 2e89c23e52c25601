"""Readers of clips to compare in data_pipeline.py: Pillow, PyAV, decord and this package."""

from __future__ import annotations

from pathlib import Path

import av
import decord
import numpy as np
from av.video.reformatter import VideoReformatter
from mmaction.datasets.transforms import RandomResizedCrop
from PIL import Image, ImageEnhance, ImageFilter

from slic_mmaction.decoding import open_reader

SIDE = 128
Frames = list[np.ndarray]


def pillow_clip(files: list[Path]) -> np.ndarray:
    """Read a clip from JPEG files, one frame at a time."""
    width, height = Image.open(files[0]).size
    box = RandomResizedCrop.get_crop_bbox((height, width), (0.25, 1.0), (3 / 4, 4 / 3))
    flip, jitter, gray, blur = np.random.random(4) < (0.5, 0.8, 0.2, 0.2)
    factors, hue = np.random.uniform(0.5, 1.5, 3), np.random.randint(256)
    order = np.random.permutation(4)[: 4 * jitter]
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    out = []
    for file in files:
        image = Image.open(file).crop(box).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        if flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for step in order:
            if step < 3:
                image = enhancers[step](image).enhance(factors[step])
            else:
                channels = list(image.convert("HSV").split())
                channels[0] = Image.fromarray(np.asarray(channels[0]) + np.uint8(hue))
                image = Image.merge("HSV", channels).convert("RGB")
        if gray:
            image = image.convert("L").convert("RGB")
        if blur:
            image = image.filter(ImageFilter.GaussianBlur(2))
        out.append(np.asarray(image))
    return np.ascontiguousarray(np.stack(out).transpose(3, 0, 1, 2))


def bare_pyav(path: Path, frames: range) -> Frames:
    """Decode from the beginning with PyAV, with one thread and one converter."""
    out = []
    to_rgb = VideoReformatter()
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(video=0)):
            if number >= frames.start:
                out.append(to_rgb.reformat(frame, format="rgb24", threads=1).to_ndarray())
            if len(out) == len(frames):
                break
    return out


def bare_decord(path: Path, frames: range) -> Frames:
    """Decode in one batch with decord, which seeks to key frames."""
    return list(decord.VideoReader(str(path), num_threads=1).get_batch(list(frames)).asnumpy())


def read(decoder: str, path: Path, frames: range) -> Frames:
    """Decode with a reader of this package."""
    reader = open_reader(str(path), decoder)
    out = reader.frames(frames)
    reader.close()
    return out
