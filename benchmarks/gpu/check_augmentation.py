"""SLICDataPreprocessor on the device against itself on the CPU, and against the worker's path.

Of configs/slic_r3d_ucf101_device_aug.py, with the same draws. In grey levels of 0..255.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from settings import ROOT, Settings
from stage_file import Result
from torch import Tensor

from slic_mmaction.transforms.clip_augment import change_appearance
from slic_mmaction.transforms.clip_draws import UNIFORMS, draw_clips

VIEWS = 3
CONFIG = ROOT / "configs" / "slic_r3d_ucf101_device_aug.py"
# Rounding to whole grey levels may fall to either side after every step.
DEVICE_MEAN, DEVICE_MAX, HOST_MEAN = 0.02, 8.0, 2.0


def made_up_batch(samples: int, frames: int, side: int) -> list[Tensor]:
    """Smooth colours that move: (V, 3, T, H, W) uint8 for each sample, channels last in memory."""
    out = []
    for seed in range(samples):
        coarse = np.random.default_rng(seed).integers(0, 256, (VIEWS, 8, 16, 3), dtype=np.uint8)
        clips = []
        for scene in coarse:
            wide = cv2.resize(scene, (side + 2 * frames, side), interpolation=cv2.INTER_CUBIC)
            clips.append(np.stack([wide[:, 2 * t : 2 * t + side] for t in range(frames)]))
        out.append(torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3))
    return out


def uniforms(samples: int) -> np.ndarray:
    """What ClipAugment draws for each view: (N, V, 12)."""
    return np.random.default_rng(0).random((samples, VIEWS, UNIFORMS))


def augmented(clips: list[Tensor], device: torch.device) -> Tensor:
    """(N, V, 3, T, H, W) grey levels on the CPU, float64, as the network would see them."""
    preprocessor = MODELS.build(Config.fromfile(CONFIG).model.data_preprocessor).to(device)
    samples = [ActionDataSample(metainfo=dict(clip_draws=row)) for row in uniforms(len(clips))]
    batch = dict(inputs=[clip.to(device) for clip in clips], data_samples=samples)
    inputs = preprocessor(batch, training=True)["inputs"]
    mean, std = preprocessor.mean.double().cpu(), preprocessor.std.double().cpu()
    return inputs.cpu().double() * std.view(3, 1, 1, 1) + mean.view(3, 1, 1, 1)


def on_host(clips: list[Tensor]) -> Tensor:
    """The same clips changed as ClipAugment does in a loader worker."""
    preprocessor = MODELS.build(Config.fromfile(CONFIG).model.data_preprocessor)
    draws = draw_clips(uniforms(len(clips)).reshape(-1, UNIFORMS), preprocessor.appearance)
    flat = torch.stack(clips).flatten(0, 1).permute(0, 2, 3, 4, 1).numpy()
    changed = [
        change_appearance(clip, draws, number, preprocessor.appearance, is_flow=False)
        for number, clip in enumerate(flat)
    ]
    rows = torch.from_numpy(np.stack(changed)).permute(0, 4, 1, 2, 3).double()
    return rows.unflatten(0, (len(clips), VIEWS))


def compare(settings: Settings) -> Result:
    """Largest and mean differences."""
    samples, frames, side = (6, 3, 24) if settings.small else (32, 16, 128)
    clips = made_up_batch(samples, frames, side)
    ours = augmented(clips, settings.device)
    to_cpu = (ours - augmented(clips, torch.device("cpu"))).abs()
    to_host = (ours - on_host(clips)).abs()
    per_clip = float(to_host.mean(dim=(2, 3, 4, 5)).max())
    mean, largest = float(to_cpu.mean()), float(to_cpu.max())
    return dict(
        passed=mean <= DEVICE_MEAN and largest <= DEVICE_MAX and per_clip <= HOST_MEAN,
        mean_to_cpu=mean,
        max_to_cpu=largest,
        worst_clip_mean_to_worker=per_clip,
        tolerance=f"{DEVICE_MEAN}, {DEVICE_MAX:g}, {HOST_MEAN:g}",
        clips=samples * VIEWS,
    )


def measurements(settings: Settings) -> Iterator[tuple[str, Any]]:
    """One."""
    yield "augmentation", partial(compare, settings)
