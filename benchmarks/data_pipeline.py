"""Measure the CPU time of a training sample: three clips of 16 frames, decoded and augmented.

A sample is the anchor (the first 16 frames of a video), a positive from another video and a second
anchor view, each 128x128 with its own augmentation. All pipelines get the same videos and frames,
and run in turn, sample by sample, so that a busy machine slows all equally.

``host`` and ``device`` are the work of a loader worker with configs/slic_r3d_ucf101_exact.py and
with slic_r3d_ucf101.py, which augments on the device. ``stock`` is three pipelines of MMAction2's
own transforms, without greyscale and blur. ``pillow`` reads JPEG files of the same frames,
extracted before training, and augments frame by frame with Pillow. The ``bare`` rows only decode
the frames to RGB with the interface of a library; the ``read`` rows do so with each decoder of this
package. ``cached`` is CachedVideo in its second epoch.

    python benchmarks/data_pipeline.py --out data_pipeline.json
    python benchmarks/data_pipeline.py --videos some/folder --suffix .mp4
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import decord
import numpy as np
import torch
from clip_contestants import SIDE, bare_decord, bare_pyav, read
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from sampled_videos import CLIP, SHARED, Sample, Videos, made_up_videos

from slic_mmaction.datasets.cluster_aware_dataset import join_views
from slic_mmaction.durable_file import write_text
from slic_mmaction.progress import show_progress, track
from slic_mmaction.transforms.view_frames import ANCHOR, POSITIVE

ROOT = Path(__file__).parents[1]
PACK: list[dict] = [dict(type="FormatShape", input_format="NCTHW"), dict(type="PackActionInputs")]
STOCK: list[dict] = [
    dict(type="DecordInit"),
    dict(type="SampleViewFrames", clip_len=CLIP),
    dict(type="DecordDecode"),
    dict(type="RandomResizedCrop", area_range=(0.25, 1.0)),
    dict(type="Resize", scale=(SIDE, SIDE), keep_ratio=False),
    dict(type="Flip", flip_ratio=0.5),
    # Half of the range of hues, because the other half raises OverflowError with NumPy 2.
    dict(
        type="RandomApply",
        prob=0.8,
        transforms=[dict(type="ColorJitter", hue=(0.0, 0.5))],
    ),
    *PACK,
]


def views_of(pipeline: Compose, path: Path, *views: str) -> torch.Tensor:
    """Run a pipeline on a video as the datasets do."""
    return pipeline(dict(filename=str(path), start_index=0, modality="RGB", views=views))["inputs"]


def in_two_pipelines(steps: list[dict]) -> Callable[[Sample], torch.Tensor]:
    """Return a function that reads both anchor views at once, as ClusterAwareDataset does."""
    pipeline = Compose(steps)

    def run(sample: Sample) -> torch.Tensor:
        anchors = views_of(pipeline, sample[0], ANCHOR, ANCHOR)
        first, second = anchors.split(1)
        return join_views([first, views_of(pipeline, sample[1], POSITIVE), second])

    return run


def in_three_pipelines(steps: list[dict]) -> Callable[[Sample], torch.Tensor]:
    """Return a function that reads each view separately."""
    pipeline = Compose(steps)

    def run(sample: Sample) -> torch.Tensor:
        anchor, positive, _ = sample
        views = ((anchor, ANCHOR), (positive, POSITIVE), (anchor, ANCHOR))
        return join_views([views_of(pipeline, path, view) for path, view in views])

    return run


def measure(videos: Videos, rounds: int, cache: Path, name: str) -> dict[str, float]:
    """Measure CPU milliseconds per sample of each pipeline, as the median over rounds."""
    host = Config.fromfile(ROOT / "configs/slic_r3d_ucf101_exact.py")
    base = host.train_dataloader.dataset.pipeline
    device = Config.fromfile(ROOT / "configs/slic_r3d_ucf101.py")
    on_device = device.train_dataloader.dataset.pipeline
    cached = dict(type="CachedVideo", path=str(cache), max_bytes=2**32, short_side=SIDE)
    contestants: dict[str, Callable[[Sample], Any]] = {
        "host": in_two_pipelines(base),
        "device": in_two_pipelines(on_device),
        "cached, device": in_two_pipelines([cached, *on_device[1:]]),
        "stock": in_three_pipelines(STOCK),
        "pillow": videos.pillow,
    }
    for decoder in ("pyav", "decord"):
        contestants[f"read {decoder}"] = partial(videos.decode, partial(read, decoder))
    contestants["read rawframes"] = partial(videos.decode, videos.read_jpegs)
    for bare in (bare_pyav, bare_decord):
        label = bare.__name__.replace("_", " ")
        contestants[label] = partial(videos.decode, bare)
    times: dict[str, list[float]] = {label: [] for label in contestants}
    for number in track(range(rounds + 1), rounds + 1, f"{name}: rounds"):
        spent = dict.fromkeys(contestants, 0.0)
        for sample in videos.samples:
            for label, contestant in contestants.items():
                random.seed(sample[2])
                np.random.seed(sample[2])
                start = time.process_time()
                contestant(sample)
                spent[label] += time.process_time() - start
        if number:  # the first round warms up, and fills the cache
            for label, seconds in spent.items():
                times[label].append(1e3 * seconds / len(videos.samples))
    return {label: statistics.median(values) for label, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, help="folder of videos; default: files of UCF101")
    parser.add_argument("--suffix", default=".avi", help="suffix of the files in --videos")
    parser.add_argument("--samples", type=int, default=30, help="number of samples in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="also write the result to this JSON file")
    args = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    init_default_scope("mmaction")

    with tempfile.TemporaryDirectory() as scratch, show_progress("Measuring"):
        sets = {
            "ucf101_raw, 320x240 Xvid": sorted(SHARED.glob("ucf101_raw/*/*.avi")),
            "ucf101_6, 170x128 H.264": sorted(SHARED.glob("ucf101_6/videos/*/*_g0[1-3]_c01.mp4")),
        }
        if args.videos:
            sets = {str(args.videos): sorted(args.videos.rglob(f"*{args.suffix}"))}
        elif not all(sets.values()):
            sets = {"generated, 320x240 Xvid": made_up_videos(Path(scratch) / "generated", 12)}
        results = {}
        for number, (name, paths) in enumerate(sets.items()):
            folder = Path(scratch) / str(number)
            videos = Videos(paths, args.samples, folder / "jpeg")
            ms = measure(videos, args.rounds, folder / "cache", name)
            bare = min(value for label, value in ms.items() if label.startswith("bare"))
            results[name] = {
                "videos": len(paths),
                "cpu_ms_per_sample": {label: round(value, 3) for label, value in ms.items()},
                "clips_per_cpu_second": {label: round(3e3 / t, 1) for label, t in ms.items()},
                "stock_over_host": round(ms["stock"] / ms["host"], 2),
                "stock_over_device": round(ms["stock"] / ms["device"], 2),
                "pillow_over_host": round(ms["pillow"] / ms["host"], 2),
                "pillow_over_device": round(ms["pillow"] / ms["device"], 2),
                "device_over_fastest_bare": round(ms["device"] / bare, 2),
            }
            print(name)
            for label, value in ms.items():
                print(f"  {label:16s} {value:8.2f} ms per sample  {3e3 / value:7.1f} clips/s")
            for label, ratio in list(results[name].items())[3:]:
                print(f"  {label} {ratio}")
    report = {
        "sample": f"3 clips of {CLIP} frames, {SIDE}x{SIDE}",
        "processor": f"{platform.processor() or platform.machine()}, 1 thread",
        "samples": args.samples,
        "rounds": args.rounds,
        "opencv": cv2.__version__,
        "pyav": av.__version__,
        "decord": decord.__version__,
        "torch": torch.__version__,
        "sets": results,
    }
    if args.out:
        write_text(args.out, json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
