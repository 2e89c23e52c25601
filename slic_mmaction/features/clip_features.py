"""From a batch of videos to the features of their clips."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from ..models.pooling import frames_per_clip, pool_clips
from ..models.slic_head import FEATURES, SLICHead


def check_layer(model: BaseModel, layer: str) -> None:
    """Refuse a layer that a network does not have.

    Raises:
        ValueError: If it has none of that name.
    """
    if layer not in FEATURES:
        raise ValueError(f"A layer is one of {', '.join(FEATURES)}, but got {layer!r}.")
    if layer == "projection" and not isinstance(model.cls_head, SLICHead):
        raise ValueError(
            f"The network ends in a {type(model.cls_head).__name__}, which has no projection: "
            "choose the layer 'backbone'."
        )


@torch.no_grad()
def clip_features(
    model: BaseModel, batch: dict[str, Any], layer: str, clips_per_pass: int
) -> list[Tensor]:
    """Features of all clips of each video of a batch; the network must be in evaluation mode.

    Args:
        model (BaseModel): A recognizer, not wrapped for distribution.
        batch (dict[str, Any]): ``inputs``, a list of N (C_i, channels, T, H, W) tensors, or
            (C_i * frames, channels, H, W) for ``Recognizer2D``, whose numbers of clips may
            differ, and ``data_samples``. Of a 2D network whose head has no ``num_segments``
            each frame is a clip.
        layer (str): ``'projection'``, the output of :class:`SLICHead`, or ``'backbone'``, the
            pooled feature of any recognizer.
        clips_per_pass (int): Most clips that go through the network at once.

    Returns:
        list[Tensor]: N tensors (C_i, D) float32, on the CPU.
    """
    frames = frames_per_clip(model.cls_head)
    found = []
    for views, sample in zip(batch["inputs"], batch["data_samples"]):
        video = model.data_preprocessor(dict(inputs=[views], data_samples=[sample]), False)
        clips = video["inputs"][0]
        is_frames = clips.ndim == 4
        found.append(clips.unflatten(0, (-1, frames or 1)) if is_frames else clips[:, None])
    features = []
    # Clips of all videos in a row fill the passes whatever their number.
    for part in torch.cat(found).split(clips_per_pass):
        feats, _ = model.extract_feat(part, stage="backbone")
        if layer == "projection":
            rows = model.cls_head(feats)
        else:
            rows = pool_clips(feats, part.shape[1] if is_frames else None)
        features.append(rows.float().cpu())
    return list(torch.cat(features).split([len(clips) for clips in found]))
