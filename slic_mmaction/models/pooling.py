"""Pooling a backbone's output to one feature vector per clip, and the width of that vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .evaluation_mode import evaluation_mode

if TYPE_CHECKING:
    from mmaction.models.recognizers.base import BaseRecognizer


# Number of dimensions of a backbone's output -> dimensions to average.
POOLED = {2: (), 3: (1,), 4: (2, 3), 5: (2, 3, 4)}


def pool_clips(features: Tensor | Sequence[Any], num_segments: int | None = None) -> Tensor:
    """Average a backbone's output over time and space.

    | output | from | feature |
    |---|---|---|
    | (N, C, T, H, W) | 3D networks | mean over time and space |
    | (N, L, C) | transformers without a pooled output | mean over the tokens |
    | (N, C) | C3D, TimeSformer, UniFormerV2, VideoMAE | unchanged |
    | (N * segments, C, H, W) | 2D networks, TSM, TANet | mean over space and the segments |
    | sequence of the above | SlowFast's pathways, several stages | concatenated |
    | [map, class token] in a sequence | MViT | the class token, as in MMAction2's ``MViTHead`` |

    Args:
        features: Output of the backbone.
        num_segments: Number of frames of a clip if the backbone processes single frames
            (``Recognizer2D``) and returns those of a clip in consecutive rows. None if each row
            is a clip.

    Returns:
        (N, C), or (N, sum of C) for a sequence.

    Raises:
        ValueError: If the output has another form, or does not agree with ``num_segments``. The
            message contains the shapes.

    Examples:
        >>> from slic_mmaction.models import pool_clips
        >>> slow, fast = torch.rand(2, 256, 4, 7, 7), torch.rand(2, 32, 16, 7, 7)
        >>> pool_clips(slow).shape
        torch.Size([2, 256])
        >>> pool_clips((slow, fast)).shape
        torch.Size([2, 288])
        >>> pool_clips(torch.rand(16, 64, 7, 7), num_segments=8).shape
        torch.Size([2, 64])
    """
    if isinstance(features, Tensor):
        return _pool_tensor(features, num_segments)
    if isinstance(features, (tuple, list)) and features:
        if _is_map_with_token(features[-1]):
            # Only the last stage's output has passed through all layers.
            return _pool_tensor(features[-1][-1], num_segments)
        return torch.cat([pool_clips(part, num_segments) for part in features], dim=1)
    raise ValueError(_unreadable(features))


def _pool_tensor(features: Tensor, num_segments: int | None) -> Tensor:
    if features.ndim not in POOLED:
        raise ValueError(_unreadable(features))
    if features.ndim == 4 and num_segments is None:
        raise ValueError(
            f"The backbone returned {_describe(features)}, one row for each frame, as 2D networks "
            "do: set cls_head.num_segments to the number of frames of a clip (clip_len of the "
            "pipeline)."
        )
    if features.ndim == 5 and num_segments is not None:
        raise ValueError(
            f"The backbone returned {_describe(features)}, one row for each clip, but "
            f"cls_head.num_segments={num_segments} is for 2D networks: remove it."
        )
    rows = features.mean(dim=POOLED[features.ndim]) if features.ndim > 2 else features
    if num_segments is None:
        return rows
    if len(rows) % num_segments:
        raise ValueError(
            f"cls_head.num_segments={num_segments} does not divide the {len(rows)} frames that "
            "the backbone returned: set it to clip_len of the pipeline."
        )
    return rows.unflatten(0, (-1, num_segments)).mean(dim=1)


def _is_map_with_token(stage: object) -> bool:
    if not isinstance(stage, (tuple, list)) or len(stage) != 2:
        return False
    return all(isinstance(part, Tensor) for part in stage) and stage[1].ndim == 2


def _unreadable(features: object) -> str:
    return (
        "SLICHead reads backbone outputs of shape (N, C, T, H, W), (N, L, C), (N, C) or (frames, "
        f"C, H, W), or a sequence of them, but the backbone returned {_describe(features)}."
    )


def _describe(features: object) -> str:
    if isinstance(features, Tensor):
        return f"a tensor of shape {tuple(features.shape)}"
    if isinstance(features, (tuple, list)):
        return f"a {type(features).__name__} of ({', '.join(_describe(f) for f in features)})"
    return f"a {type(features).__name__}"


# Frames and pixels of the clips to try, the cheapest first. Most networks accept any; C3D accepts
# 112 pixels only, and transformers with learned positions the size they were configured for.
CLIPS = ((8, 64), (16, 112), (8, 224), (16, 224), (32, 224))


def infer_width(recognizer: BaseRecognizer, num_segments: int | None) -> int:
    """Find the number of channels of the pooled feature of a backbone (and neck).

    One black clip is passed through the network in evaluation mode. Weights, BatchNorm statistics
    and torch's random state do not change.

    Args:
        recognizer: Recognizer with the backbone.
        num_segments: Number of frames of a clip of a 2D network; None for other networks.

    Raises:
        ValueError: If the backbone accepts none of the clips. The message has its errors.
    """
    errors = []
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
        except Exception as error:  # A backbone may raise anything for a size it does not accept.
            errors.append(f"{shape}: {type(error).__name__}: {error}")
        else:
            return pool_clips(features, num_segments).shape[1]
    raise ValueError(
        f"in_channels='auto' found no clip that {type(recognizer.backbone).__name__} accepts: set "
        "cls_head.in_channels to the width of its pooled feature. Tried " + "; ".join(errors)
    )
