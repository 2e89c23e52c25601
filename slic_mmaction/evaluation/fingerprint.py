"""Hashes of everything that stored features depend on."""

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
"""Format of stored features, which is part of their digest."""

# What MMAction2's data sets of frames say of a video.
_FRAMES = ("total_frames", "offset", "start_index", "filename_tmpl")
# Options of a head that do not change its embeddings.
_ONLY_FOR_TRAINING = ("losses", "init_cfg", "feature")


@dataclass(frozen=True)
class FeatureKey:
    """Key of stored features, of three SHA-256 hashes; equal keys mean equal features.

    Attributes:
        checkpoint: Hash of the weights and statistics in memory, not of a file's name.
        config: Hash of the network's config, the pipeline and the layer.
        videos: Hash of the videos' paths in order, with their sizes and dates on a local disk.

    Examples:
        >>> from slic_mmaction.evaluation import FeatureKey
        >>> FeatureKey(checkpoint="2f0c", config="91ab", videos="77de").digest
        'e9bb20f8c49b8d28'
    """

    checkpoint: str
    config: str
    videos: str

    @property
    def digest(self) -> str:
        """Short hash of the whole key, of 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]


def weights_hash(model: nn.Module, layer: str | None) -> str:
    """Hash the weights and statistics of a recognizer that a layer's output depends on.

    For any layer but ``'backbone'`` this includes the head's.
    """
    sums = hashlib.sha256()
    parts = ("backbone", "neck") if layer == "backbone" else ("backbone", "neck", "cls_head")
    for part in parts:
        state = getattr(model, part).state_dict() if hasattr(model, part) else {}
        for name in sorted(state):
            tensor = state[name].detach().cpu().contiguous()
            sums.update(f"{part}.{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
            sums.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sums.hexdigest()


def config_hash(
    model: Mapping, pipeline: Sequence[Mapping], layer: str, half_precision: bool
) -> str:
    """Hash the configs of model and transforms that a layer's features depend on, and autocast."""
    parts = {name: model.get(name) for name in ("type", "backbone", "data_preprocessor")}
    if model.get("neck"):
        parts["neck"] = model["neck"]
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
    """Hash the list of videos of a dataset, without labels."""
    sums = hashlib.sha256()
    for i in range(len(videos)):
        name = video_name(videos, i)
        try:
            status = os.stat(name)
            stamp = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            stamp = "elsewhere"
        info = videos.get_data_info(i)
        frames = "\t".join(str(info[key]) for key in _FRAMES if key in info)
        sums.update(f"{name}\t{stamp}\t{frames}\n".encode())
    return sums.hexdigest()
