"""From a batch of videos to the features of their clips."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from ..models.pooling import pool_clips
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
        model (BaseModel): A :class:`Recognizer3D`, not wrapped for distribution.
        batch (dict[str, Any]): ``inputs``, a list of N (C_i, channels, T, H, W) tensors whose
            numbers of clips may differ, and ``data_samples``.
        layer (str): ``'projection'``, the output of :class:`SLICHead`, or ``'backbone'``, the
            pooled feature of any recognizer.
        clips_per_pass (int): Most clips that go through the network at once.

    Returns:
        list[Tensor]: N tensors (C_i, D) float32, on the CPU.
    """
    found = []
    for clips, sample in zip(batch["inputs"], batch["data_samples"]):
        video = model.data_preprocessor(dict(inputs=[clips], data_samples=[sample]), False)
        found.append(video["inputs"][0])
    features = []
    # Clips of all videos in a row fill the passes whatever their number.
    for part in torch.cat(found).split(clips_per_pass):
        feats, _ = model.extract_feat(part[:, None], stage="backbone")
        rows = model.cls_head(feats) if layer == "projection" else pool_clips(feats)
        features.append(rows.float().cpu())
    return list(torch.cat(features).split([len(clips) for clips in found]))
