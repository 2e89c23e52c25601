"""Measure the CPU time of augmenting a clip of 16 frames of 320x240 to 128x128 in several ways.

All ways draw from the distribution of the paper and use the same frames, which are copied just
before. ``worker`` is ClipAugment, ``pillow`` the same with Pillow, frame by frame.
``device_worker`` is the remaining work of a loader worker if SLICDataPreprocessor augments on the
device, and ``device_batch`` the work of the latter (on --device). The ``ship`` rows compare what a
worker could send to the device, up to shared memory: crops resized to 128, frames with a short side
of 128, or whole frames.

    python benchmarks/augmentation.py --out augmentation.json
    python benchmarks/augmentation.py --device cuda
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from mmaction.datasets.transforms import FormatShape, PackActionInputs, RandomResizedCrop
from mmaction.structures import ActionDataSample
from mmcv.transforms import Compose
from PIL import Image, ImageEnhance, ImageFilter

import slic_mmaction.transforms as ours
from slic_mmaction.durable_file import write_text
from slic_mmaction.models import SLICDataPreprocessor
from slic_mmaction.transforms.clip_draws import HUE, UNIFORMS, Appearance, draw_clips

FRAMES, WIDTH, HEIGHT, SIDE, VIEWS = 16, 320, 240, 128, 3
PACK = [FormatShape("NCTHW"), PackActionInputs()]
ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)

Frames = list[np.ndarray]


def made_up_clip(seed: int) -> Frames:
    """Generate smooth moving colours; the cost does not depend on the content."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    wide = cv2.resize(coarse, (WIDTH + 2 * FRAMES, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return [wide[:, 2 * t : 2 * t + WIDTH].copy() for t in range(FRAMES)]


def pillow_chain(frames: Frames) -> np.ndarray:
    """Augment a clip with Pillow, one frame at a time."""
    draws = draw_clips(np.random.random((1, UNIFORMS)), Appearance())
    box = RandomResizedCrop.get_crop_bbox((HEIGHT, WIDTH), (0.25, 1.0), (3 / 4, 4 / 3))
    out = []
    for frame in frames:
        image = Image.fromarray(frame).crop(box).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        if draws.flip[0]:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for operation in draws.order[0]:
            factor = draws.factors[0, operation]
            if not draws.changes[0, operation]:
                continue
            if operation == HUE:
                hue, saturation, value = image.convert("HSV").split()
                hue = Image.fromarray(np.asarray(hue) + np.uint8(round(factor * 256) % 256))
                image = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
            else:
                image = ENHANCERS[operation](image).enhance(factor)
        if draws.gray[0]:
            image = image.convert("L").convert("RGB")
        if draws.blur[0]:
            image = image.filter(ImageFilter.GaussianBlur(2))
        out.append(np.asarray(image))
    return np.ascontiguousarray(np.stack(out).transpose(3, 0, 1, 2))


def transforms(*steps: object) -> Callable[[Frames], object]:
    """Return a function that runs transforms and the packing as a pipeline does."""
    pipeline = Compose([*steps, *PACK])
    return lambda frames: pipeline(dict(imgs=frames, clip_len=len(frames), num_clips=1))


def shipped(frames: Frames) -> torch.Tensor:
    """Stack frames in shared memory."""
    return torch.from_numpy(np.stack(frames)).share_memory_()


def ship_crops(frames: Frames) -> torch.Tensor:
    crop = ours.ClipAugment(SIDE, on_device=True)
    return shipped(crop(dict(imgs=frames, clip_len=len(frames)))["imgs"])


def ship_short_side(frames: Frames) -> torch.Tensor:
    width = round(WIDTH * SIDE / HEIGHT)
    return shipped([cv2.resize(frame, (width, SIDE)) for frame in frames])


def device_batch(device: str, samples: int) -> Callable[[int], None]:
    """Return a function that augments and normalises a batch on the device."""
    preprocessor = SLICDataPreprocessor(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], format_shape="NCTHW"
    ).to(device)
    clips = torch.randint(256, (VIEWS, 3, FRAMES, SIDE, SIDE), dtype=torch.uint8, device=device)

    def run(seed: int) -> None:
        uniforms = np.random.default_rng(seed).random((samples, VIEWS, UNIFORMS))
        elements = [ActionDataSample(metainfo=dict(clip_draws=row)) for row in uniforms]
        preprocessor(dict(inputs=[clips] * samples, data_samples=elements), training=True)
        if device != "cpu":
            torch.cuda.synchronize()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=64, help="number of clips in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--samples", type=int, default=4, help=f"samples of {VIEWS} clips in device_batch"
    )
    parser.add_argument("--device", default="cpu", help="device of device_batch; GPUs: wall time")
    parser.add_argument("--out", help="also write the result to this JSON file")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    chains: dict[str, Callable[[Frames], object]] = {
        "worker": transforms(ours.ClipAugment(SIDE)),
        "pillow": pillow_chain,
        "device_worker": transforms(ours.ClipAugment(SIDE, on_device=True)),
        "ship_crops": ship_crops,
        "ship_short_side": ship_short_side,
        "ship_whole_frames": shipped,
    }
    clips = [made_up_clip(seed) for seed in range(8)]
    on_device = device_batch(args.device, args.samples)
    device_clock = time.process_time if args.device == "cpu" else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in (*chains, "device_batch")}
    for number in range(args.rounds + 1):
        for name, chain in chains.items():
            spent = 0.0
            for i in range(args.clips):
                random.seed(number * args.clips + i)
                np.random.seed(number * args.clips + i)
                frames = [frame.copy() for frame in clips[i % len(clips)]]
                start = time.process_time()
                chain(frames)
                spent += time.process_time() - start
            times[name].append(1e3 * spent / args.clips)
        batches = max(args.clips // (VIEWS * args.samples), 1)
        start = device_clock()
        for i in range(batches):
            on_device(number * batches + i)
        spent = device_clock() - start
        times["device_batch"].append(1e3 * spent / (batches * VIEWS * args.samples))
    # The first round warms up.
    ms = {name: round(statistics.median(values[1:]), 3) for name, values in times.items()}
    result = {
        "clip": f"{FRAMES} frames {WIDTH}x{HEIGHT} to {SIDE}x{SIDE}",
        "processor": f"{platform.processor() or platform.machine()}, 1 thread",
        "device": args.device if args.device == "cpu" else torch.cuda.get_device_name(),
        "opencv": cv2.__version__,
        "torch": torch.__version__,
        "ms_per_clip": ms,
        "times_as_long_as_worker": {
            name: round(ms[name] / ms["worker"], 2) for name in ("pillow", "device_worker")
        },
        "bytes_per_clip": {
            "ship_crops": 3 * FRAMES * SIDE * SIDE,
            "ship_short_side": 3 * FRAMES * SIDE * round(WIDTH * SIDE / HEIGHT),
            "ship_whole_frames": 3 * FRAMES * WIDTH * HEIGHT,
        },
    }
    for name, value in ms.items():
        print(f"{name:18s} {value:8.3f} ms per clip  {value / ms['worker']:6.2f} times worker")
    if args.out:
        write_text(args.out, json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
