"""Time of a training loop with real loaders.

benchmarks/data_pipeline.py measures the steps of a loader worker.
"""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Any

from device import synchronize, time_repeats
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from settings import ROOT, Settings
from stage_file import Result
from training_step import VIEWS, TrainingStep, Variant, clip_shape

from slic_mmaction.durable_file import write_text

PIPELINES = ("cached", "device", "host")
NO_VIDEOS = "needs videos: --data"
# More than are prefetched by 16 workers and then measured.
BATCHES = 64


def pipeline_config(name: str, videos: int, data: Path, settings: Settings) -> Config:
    """Return the training config of an input pipeline.

    ``'device'`` is slic_r3d_ucf101.py, ``'cached'`` the same with a cache of decoded frames, and
    ``'host'`` slic_r3d_ucf101_exact.py, whose workers augment. The list of videos is repeated until
    an epoch is long enough to be measured without its start and end.
    """
    file = "slic_r3d_ucf101_exact.py" if name == "host" else "slic_r3d_ucf101.py"
    cfg = Config.fromfile(ROOT / "configs" / file)
    loader = cfg.train_dataloader
    lines = (data / "train_split1.txt").read_text(encoding="utf-8").splitlines()
    wanted = videos * (2 if settings.small else BATCHES)
    listed = settings.scratch / "videos.txt"
    write_text(listed, "\n".join([*lines, *(lines * wanted)[:wanted]]) + "\n")
    loader.dataset.dataset.ann_file = str(listed)
    loader.dataset.dataset.data_prefix = dict(video=str(data / "videos"))
    if name == "cached":
        cache = dict(type="CachedVideo", path=str(settings.scratch / "frames"), max_bytes=24 << 30)
        loader.dataset.pipeline[0] = cache
    if settings.small:
        _, frames, side, _ = clip_shape(settings)
        for step in loader.dataset.pipeline:
            step.update({k: v for k, v in dict(clip_len=frames, size=side).items() if k in step})
    loader.batch_size = videos
    loader.num_workers = 0 if settings.small else min(os.cpu_count() or 1, 16)
    loader.persistent_workers = loader.num_workers > 0
    loader.drop_last = True
    return cfg


def time_loop(name: str, videos: int, settings: Settings) -> Result:
    """Measure the seconds of an iteration with a real loader, and the share of the loader.

    ``step_s`` is the step on one batch that stays on the device, ``augment_s`` the time of sending,
    augmenting and normalising a batch, and ``loop_s`` an iteration of the loop. The settings are
    the defaults for a GPU: bf16 (float32 on a CPU), channels last.
    """
    if settings.data is None:
        return dict(skipped=NO_VIDEOS)
    cfg = pipeline_config(name, videos, settings.data, settings)
    device = settings.device
    precision = "bf16" if device.type == "cuda" else "fp32"
    step = TrainingStep(Variant(precision, "hook", videos), settings)
    preprocessor = MODELS.build(cfg.model.data_preprocessor).to(device)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))

    def load(batch: dict[str, Any]) -> None:
        data = preprocessor(batch, training=True)
        step.clips, step.samples = data["inputs"], data["data_samples"]

    # In this epoch, workers start and the cache is filled.
    for batch in itertools.islice(batches, len(loader) if name == "cached" else 2):
        load(batch)
    repeats, iterations = (2, 2) if settings.small else (10, 30)
    augment_s = time_repeats(lambda: load(batch), device, repeats)["seconds"]
    step_s = time_repeats(step, device, repeats)["seconds"]
    # Batches that the workers have prepared meanwhile would hide how fast they are.
    ready = loader.num_workers * (loader.prefetch_factor or 0)
    for count in (ready, iterations):
        begin = time.perf_counter()
        for batch in itertools.islice(batches, count):
            load(batch)
            step()
        synchronize(device)
    loop_s = (time.perf_counter() - begin) / iterations
    return dict(
        loop_s=loop_s,
        step_s=step_s,
        augment_s=augment_s,
        input_share=max(0.0, 1 - step_s / loop_s),
        clips_per_s=videos * VIEWS / loop_s,
        workers=cfg.train_dataloader.num_workers,
    )
