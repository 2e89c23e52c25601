"""How wide a recognizer's pooled feature is, found by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .evaluation_mode import evaluation_mode
from .pooling import pool_clips

if TYPE_CHECKING:
    from mmaction.models.recognizers.base import BaseRecognizer

# Frames and pixels of the clips to try, the cheapest first. Most networks take any; C3D takes
# 112 pixels only, transformers with learned positions the size they were configured for.
CLIPS = ((8, 64), (16, 112), (8, 224), (16, 224), (32, 224))


def infer_width(recognizer: BaseRecognizer, num_segments: int | None) -> int:
    """Channels of the pooled feature of a backbone (and neck).

    One black clip goes through in evaluation mode. Neither weights nor BatchNorm statistics
    nor torch's random numbers change.

    Args:
        recognizer (BaseRecognizer): With its backbone.
        num_segments (int, optional): Frames of a clip of a 2D network.

    Returns:
        int: What ``cls_head.in_channels`` has to be.

    Raises:
        ValueError: If the backbone takes none of the clips tried, with what it said to each.
    """
    said = []
    device = next(recognizer.parameters()).device
    shapes = [
        (3, frames, side, side) if num_segments is None else (num_segments, 3, side, side)
        for frames, side in CLIPS
    ]
    for shape in dict.fromkeys(shapes):
        clip = torch.zeros(1, *shape, device=device)
        if num_segments is None:
            clip = clip[None]
        try:
            with torch.no_grad(), evaluation_mode(recognizer), torch.random.fork_rng(devices=[]):
                features, _ = recognizer.extract_feat(clip, stage="neck")
        except Exception as error:  # Whatever foreign code raises at a size it does not take.
            said.append(f"{shape}: {type(error).__name__}: {error}")
        else:
            return pool_clips(features, num_segments).shape[1]
    raise ValueError(
        f"in_channels='auto' found no clip that {type(recognizer.backbone).__name__} takes: set "
        "cls_head.in_channels to the width of its pooled feature. Tried " + "; ".join(said)
    )
