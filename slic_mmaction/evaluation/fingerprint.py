"""What stored features depend on, as hashes of contents: no name can stand for another."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from mmengine.dataset import BaseDataset
from torch import nn

from ..datasets.videos import video_name
from ..version import __version__

FORMAT = 3
"""Of stored features; another format is not looked for under the same digest."""

# Of a head, what does not change its embedding.
_ONLY_FOR_TRAINING = ("losses", "init_cfg", "feature")


@dataclass(frozen=True)
class FeatureKey:
    """Three SHA-256 sums; features of equal keys are the same.

    Attributes:
        checkpoint: Of the weights and statistics in memory, not of a file's name.
        config: Of the network's config, the pipeline and the layer.
        videos: Of the videos' paths in order, with their sizes and dates on a local disk.
    """

    checkpoint: str
    config: str
    videos: str

    @property
    def digest(self) -> str:
        """One short name for all three."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]


def weights_hash(model: nn.Module, layer: str | None) -> str:
    """SHA-256 of all weights and statistics in a recognizer that a layer's output depends on.

    For any layer but ``'backbone'`` those of the head count, too.
    """
    sums = hashlib.sha256()
    for part in ("backbone",) if layer == "backbone" else ("backbone", "cls_head"):
        state = getattr(model, part).state_dict() if hasattr(model, part) else {}
        for name in sorted(state):
            tensor = state[name].detach().cpu().contiguous()
            sums.update(f"{part}.{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
            sums.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sums.hexdigest()


def config_hash(
    model: Mapping, pipeline: Sequence[Mapping], layer: str, half_precision: bool
) -> str:
    """SHA-256 of the settings that a layer's features depend on: configs of model and transforms,
    and whether the network runs under autocast.
    """
    parts = {name: model.get(name) for name in ("type", "backbone", "data_preprocessor")}
    if layer == "projection":
        head = model.get("cls_head") or {}
        parts["cls_head"] = {k: v for k, v in head.items() if k not in _ONLY_FOR_TRAINING}
    settings = dict(
        model=parts,
        pipeline=list(pipeline),
        layer=layer,
        half_precision=half_precision,
        software=f"{__version__}, format {FORMAT}",
    )
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=repr).encode()).hexdigest()


def videos_hash(videos: BaseDataset) -> str:
    """SHA-256 of which videos a dataset lists; features do not depend on their labels."""
    sums = hashlib.sha256()
    for i in range(len(videos)):
        name = video_name(videos, i)
        try:
            status = os.stat(name)
            stamp = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            stamp = "elsewhere"
        frames = videos.get_data_info(i).get("total_frames", "")
        sums.update(f"{name}\t{stamp}\t{frames}\n".encode())
    return sums.hexdigest()
