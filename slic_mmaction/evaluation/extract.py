"""Computing the features of the clips of videos once, on all ranks, and storing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.dist import get_dist_info, is_main_process
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, autocast
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from ..checkpoints.loading_report import compare_states
from ..datasets.retrieval_dataset import RetrievalDataset
from ..datasets.videos import video_name
from ..models.evaluation_mode import evaluation_mode
from ..models.pooling import pool_clips
from ..models.slic_head import SLICHead
from ..progress import show_progress, track
from ..ranks import on_main, share_of, together
from .feature_set import (
    INDEX,
    FeatureSet,
    load_features,
    only,
    read_index,
    read_shards,
    write_index,
    write_shard,
)
from .fingerprint import FeatureKey, config_hash, videos_hash, weights_hash

ROLES = ("query", "gallery")


def parts_of(dataset: Dataset) -> dict[str, BaseDataset]:
    """Return query and gallery of a :class:`RetrievalDataset` by role, or ``{'': dataset}``."""
    if isinstance(dataset, RetrievalDataset):
        return {role: getattr(dataset, role) for role in ROLES}
    return {"": dataset}


def extract_features(
    model: BaseModel,
    loader: DataLoader,
    cfg: Config,
    folder_of: Callable[[str, FeatureKey], Path],
    layer: str,
    clips_per_pass: int = 64,
    shard_videos: int = 1024,
    half_precision: bool = False,
) -> dict[str, FeatureSet]:
    """Compute the features of all videos of a dataset that are not stored yet; on every rank.

    The network is in evaluation mode, including BatchNorm, and gets its modes back at the end. A
    killed run continues where it was, with any number of ranks. A finished one returns at once.

    Args:
        model: Recognizer, not wrapped for distributed training.
        loader: Loader whose dataset, batch size and number of workers are used.
        cfg: Config of the model and, as ``test_dataloader``, of the loader.
        folder_of: Function from the name of a part (:func:`parts_of`) and the key of its features
            to the folder of its features, which all ranks must see.
        layer: ``'projection'`` or ``'backbone'``.
        clips_per_pass: Largest number of clips that pass through the network at once.
        shard_videos: Number of videos in a file. A killed run loses at most these on each rank.
        half_precision: Whether the network runs under autocast.

    Returns:
        Features by the name of the part, ``'query'`` and ``'gallery'``, or ``''``.

    Raises:
        ValueError: If a folder has other features, or the network does not have the layer.
        RuntimeError: If another rank failed.

    Examples:
        >>> from pathlib import Path
        >>> from mmengine import Config
        >>> from mmengine.runner import Runner
        >>> from slic_mmaction.evaluation import extract_features
        >>> runner = Runner.from_cfg(Config.fromfile("slic.py"))
        >>> videos = extract_features(runner.model, runner.test_loop.dataloader, runner.cfg,
        ...     folder_of=lambda part, key: Path("stored", part), layer="backbone")
        >>> videos["gallery"].means().shape  # three videos
        torch.Size([3, 32])
    """
    if layer == "projection" and not isinstance(model.cls_head, SLICHead):
        raise ValueError(
            f"The network ends in a {type(model.cls_head).__name__}, which has no projection: "
            "choose the layer 'backbone'."
        )
    parts = parts_of(loader.dataset)

    def find_keys() -> dict[str, FeatureKey]:
        pipeline = cfg.test_dataloader.dataset.pipeline
        weights = weights_hash(model, layer)
        config = config_hash(cfg.model, pipeline, layer, half_precision)
        return {n: FeatureKey(weights, config, videos_hash(part)) for n, part in parts.items()}

    def compute(
        folder: Path, names: list[str], key: FeatureKey, first: int, todo: list[int]
    ) -> None:
        own = Subset(loader.dataset, [first + video for video in todo])
        shard: dict[int, np.ndarray] = {}
        views: set[tuple[str | None, tuple[int, int]]] = set()
        remaining = iter(todo)
        batches = DataLoader(
            own, loader.batch_size, num_workers=loader.num_workers, collate_fn=pseudo_collate
        )
        bar = show_progress(f"features ({layer})") if is_main_process() else nullcontext()
        with evaluation_mode(model), bar:
            for batch in track(batches, len(batches), f"{loader.batch_size} videos each"):
                with autocast(enabled=half_precision):
                    features = clip_features(model, batch, layer, clips_per_pass)
                for rows, clips, sample in zip(features, batch["inputs"], batch["data_samples"]):
                    video = next(remaining)
                    if not rows.isfinite().all():
                        raise ValueError(
                            f"The feature of {names[video]} is not finite: the network has "
                            "diverged, use another checkpoint."
                        )
                    shard[video] = rows.numpy()
                    views.add((sample.get("protocol"), tuple(clips.shape[-2:])))
                    if len(shard) == shard_videos or video == todo[-1]:
                        write_shard(folder, key, shard, *only(views, "protocol or frame size"))
                        shard = {}

    # One process computes the hashes, because the clocks of machines differ.
    keys = on_main(find_keys)
    found, first = {}, 0
    for name, part in parts.items():
        names = [video_name(part, i) for i in range(len(part))]
        key, folder = keys[name], folder_of(name, keys[name])
        missing = on_main(partial(_missing, folder, names, key, layer))
        if missing:
            todo = [missing[i] for i in share_of(len(missing), *get_dist_info())]
            together(partial(compute, folder, names, key, first, todo))
        found[name] = together(partial(load_features, folder))
        first += len(part)
    return found


def _missing(folder: Path, names: Sequence[str], key: FeatureKey, layer: str) -> list[int]:
    """Find the videos without features in a folder; a new folder gets its index."""
    if not (folder / INDEX).is_file():
        write_index(folder, names, key, layer)
    if read_index(folder)[1] != key:
        raise ValueError(
            f"{folder} holds features of other weights, settings or videos: choose another folder, "
            "or delete this one."
        )
    done = {video for shard in read_shards(folder, key).values() for video in shard.videos}
    if done:
        print_log(f"{len(done)} of {len(names)} videos have features already.", logger="current")
    return [video for video in range(len(names)) if video not in done]


@torch.no_grad()
def clip_features(
    model: BaseModel, batch: dict[str, Any], layer: str, clips_per_pass: int
) -> list[Tensor]:
    """Compute the features of all clips of a batch of videos.

    The network must be in evaluation mode.

    Args:
        model: Recognizer, not wrapped for distributed training.
        batch: ``inputs`` and ``data_samples`` of N videos. The inputs are a list of
            (C_i, channels, T, H, W) tensors, or (C_i * frames, channels, H, W) for
            ``Recognizer2D``; videos may have different numbers of clips C_i. For a 2D network
            whose head has no ``num_segments``, each frame is a clip.
        layer: ``'projection'``, the output of :class:`SLICHead`, or ``'backbone'``, the
            pooled feature of any recognizer.
        clips_per_pass: Largest number of clips that pass through the network at once.

    Returns:
        N tensors (C_i, D) float32, on the CPU.

    Examples:
        >>> from mmengine import Config
        >>> from mmaction.registry import MODELS
        >>> from slic_mmaction.evaluation import clip_features
        >>> model = MODELS.build(Config.fromfile("slic.py").model).eval()
        >>> clips = torch.zeros(10, 3, 4, 16, 16, dtype=torch.uint8)  # 10 clips of one video
        >>> batch = dict(inputs=[clips], data_samples=[{}])
        >>> clip_features(model, batch, layer="backbone", clips_per_pass=64)[0].shape
        torch.Size([10, 32])
    """
    frames = getattr(model.cls_head, "num_segments", None)
    found = []
    for views, sample in zip(batch["inputs"], batch["data_samples"]):
        video = model.data_preprocessor(dict(inputs=[views], data_samples=[sample]), False)
        clips = video["inputs"][0]
        is_frames = clips.ndim == 4
        found.append(clips.unflatten(0, (-1, frames or 1)) if is_frames else clips[:, None])
    # SLIC's head is trained on the output of the neck, if there is one. Other recognizers are
    # described by their backbone.
    stage = "neck" if isinstance(model.cls_head, SLICHead) else "backbone"
    features = []
    # The clips of all videos are concatenated, so that every pass is full.
    for part in torch.cat(found).split(clips_per_pass):
        feats, _ = model.extract_feat(part, stage=stage)
        if layer == "projection":
            rows = model.cls_head(feats)
        else:
            rows = pool_clips(feats, part.shape[1] if is_frames else None)
        features.append(rows.float().cpu())
    return list(torch.cat(features).split([len(clips) for clips in found]))


def check_weights(model: BaseModel, checkpoint: str, layer: str) -> None:
    """Check that a checkpoint file has all weights of a layer.

    MMEngine only warns about missing weights, and then evaluates random ones.

    Raises:
        ValueError: If weights are missing or have another shape.
    """
    content = CheckpointLoader.load_checkpoint(checkpoint, "cpu", logger="silent")
    report = compare_states(content.get("state_dict", content), model.state_dict())
    parts = ("backbone.", "neck.", *(("cls_head.",) if layer == "projection" else ()))
    lacking = [
        name
        for name in (*report.missing, *report.reshaped)
        if name.removeprefix("module.").startswith(parts)
        # Old checkpoints lack this counter, which evaluation does not use.
        and not name.endswith("num_batches_tracked")
    ]
    if lacking:
        raise ValueError(
            f"The checkpoint {checkpoint} lacks {len(lacking)} weights of the {layer} feature, or "
            f"has them in another shape, first {lacking[0]}: use the config that it was trained "
            "with, or tools/convert_checkpoint.py if it comes from another project."
        )
