"""What feeds the training step: decoding, augmentation, and a training loop with real loaders."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from ceilings import arithmetic
from check_augmentation import made_up_batch
from check_network import VIEWS
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.runner import Runner
from settings import ROOT, Settings
from stage_file import Result
from timing import repeat_seconds, spread, wait_for
from training_step import HALF, build_network
from video_data import video_set

from slic_mmaction.decoding import open_reader
from slic_mmaction.decoding.choice import is_usable
from slic_mmaction.transforms.clip_draws import UNIFORMS

PIPELINES = ("host", "device", "cached")
DECODERS = ("pyav", "decord")
CLIP = 16


def decoding(decoder: str, settings: Settings) -> Result:
    """Seconds in which one process decodes a sample's 32 frames: two clips of two videos."""
    if not is_usable(decoder):
        return dict(skipped=f"{decoder} is not installed, or too old")
    paths = video_set(settings).paths()[: 4 if settings.small else 128]
    rng = np.random.default_rng(0)
    seconds = []
    for anchor, positive in zip(paths, paths[1:] + paths[:1]):
        start = time.perf_counter()
        for path, first in ((anchor, 0), (positive, None)):
            reader = open_reader(str(path), decoder)
            last = max(reader.num_frames - CLIP, 1)
            begin = int(rng.integers(last)) if first is None else first
            reader.frames(range(begin, begin + CLIP))
            reader.close()
        seconds.append(time.perf_counter() - start)
    times = spread(seconds)
    return dict(samples_per_s=1 / times["seconds"], **times)


def device_augmentation(videos: int, settings: Settings) -> Result:
    """Seconds to send a batch to the device, augment and normalise it there."""
    frames, side = (4, 16) if settings.small else (CLIP, 128)
    cfg = Config.fromfile(ROOT / "configs/slic_r3d_ucf101_device_aug.py")
    preprocessor = MODELS.build(cfg.model.data_preprocessor).to(settings.device)
    clips = made_up_batch(videos, frames, side)
    draws = np.random.default_rng(0)

    def work() -> None:
        uniforms = draws.random((videos, VIEWS, UNIFORMS))
        samples = [ActionDataSample(metainfo=dict(clip_draws=row)) for row in uniforms]
        preprocessor(dict(inputs=clips, data_samples=samples), training=True)

    repeats, warmup = (2, 1) if settings.small else (20, 3)
    time_ = spread(repeat_seconds(work, settings.device, repeats, warmup))
    return dict(clips_per_s=videos * VIEWS / time_["seconds"], **time_)


def pipeline_config(name: str, videos: int, settings: Settings) -> Config:
    """The training configuration of a way to feed the network."""
    file = "slic_r3d_ucf101.py" if name == "host" else "slic_r3d_ucf101_device_aug.py"
    cfg = Config.fromfile(ROOT / "configs" / file)
    loader = cfg.train_dataloader
    given = video_set(settings)
    loader.dataset.dataset.ann_file = str(given.train)
    loader.dataset.dataset.data_prefix = dict(video=str(given.root))
    steps = loader.dataset.pipeline
    if name == "cached":
        cache = dict(type="CachedVideo", path=str(settings.scratch / "frames"), max_bytes=24 << 30)
        steps[0] = cache
    if settings.small:
        steps[1].clip_len = 4
        steps[3].size = 16
    loader.batch_size = videos
    loader.num_workers = 0 if settings.small else min(os.cpu_count() or 1, 16)
    loader.persistent_workers = loader.num_workers > 0
    loader.drop_last = True
    return cfg


def training_loop(name: str, videos: int, settings: Settings) -> Result:
    """Seconds of an iteration with a real loader, and how much of it the loader costs.

    ``step_s`` is the same step on one batch that stays on the device, ``loop_s`` an iteration of
    the loop, free-running; the difference is decoding, augmentation and transport that do not hide
    behind the step. In bf16 with channels last, as long as it takes for 30 iterations.
    """
    cfg = pipeline_config(name, videos, settings)
    model = build_network(settings).to(settings.device).train()
    model.data_preprocessor = MODELS.build(cfg.model.data_preprocessor).to(settings.device)
    model.backbone.to(memory_format=torch.channels_last_3d)
    torch.backends.cudnn.benchmark = True
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.5)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    if not len(loader):
        return dict(failed=f"fewer than {videos} videos: no batch")
    iterations = 2 if settings.small else 30

    def step(data: dict[str, Any]) -> None:
        optimizer.zero_grad(set_to_none=True)
        with half_precision(settings):
            losses = model(data["inputs"], data["data_samples"], mode="loss")
        model.parse_losses(losses)[0].backward()
        optimizer.step()

    epochs = itertools.chain.from_iterable(itertools.repeat(loader))
    # An epoch of warming up: workers start, the cache fills.
    for batch in itertools.islice(epochs, len(loader)):
        data = model.data_preprocessor(batch, training=True)
    repeats = 2 if settings.small else 10
    alone = spread(repeat_seconds(lambda: step(data), settings.device, repeats))["seconds"]
    wait_for(settings.device)
    begin, waited = time.perf_counter(), 0.0
    for _ in range(iterations):
        asked = time.perf_counter()
        batch = next(epochs)
        waited += time.perf_counter() - asked
        step(model.data_preprocessor(batch, training=True))
    wait_for(settings.device)
    loop_s = (time.perf_counter() - begin) / iterations
    return dict(
        loop_s=loop_s,
        step_s=alone,
        input_share=max(0.0, 1 - alone / loop_s),
        waited_share=waited / iterations / loop_s,
        clips_per_s=videos * VIEWS / loop_s,
        videos=videos,
        workers=cfg.train_dataloader.num_workers,
        iterations=iterations,
    )


@contextlib.contextmanager
def half_precision(settings: Settings) -> Iterator[None]:
    """bf16 by autocast; on a CPU float32, which is faster there."""
    on_gpu = settings.device.type == "cuda"
    half = HALF["bf16"]
    with arithmetic("bf16"), torch.autocast(settings.device.type, half, enabled=on_gpu):
        yield
