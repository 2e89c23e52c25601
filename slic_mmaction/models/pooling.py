"""From whatever a backbone returns to one feature vector per clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def pool_clips(features: Tensor | Sequence[Any], num_segments: int | None = None) -> Tensor:
    """Average a backbone's output over time and space.

    | output | from | feature |
    |---|---|---|
    | (N, C, T, H, W) | 3D networks | mean over time and space |
    | (N, L, C) | transformers without a pooled output | mean over the tokens |
    | (N, C) | C3D, TimeSformer, UniFormerV2, VideoMAE | as it is |
    | (N * segments, C, H, W) | 2D networks, TSM, TANet | mean over space and the segments |
    | sequence of the above | SlowFast's pathways, several stages | concatenated |
    | [map, class token] in a sequence | MViT | the class token, as in MMAction2's ``MViTHead`` |

    Args:
        features (Tensor | Sequence): What the backbone returned.
        num_segments (int, optional): Frames of a clip, if the backbone sees single frames
            and returns them in the batch dimension (``Recognizer2D``), those of a clip in a
            row. Defaults to None: a row is a clip.

    Returns:
        Tensor: (N, C), or (N, sum of C) of a sequence.

    Raises:
        ValueError: If the output has another form, or does not go with ``num_segments``; the
            message names the shapes that came.
    """
    if isinstance(features, Tensor):
        return _pool_tensor(features, num_segments)
    if isinstance(features, (tuple, list)) and features:
        if _is_map_with_token(features[-1]):
            # Only the last stage went through all layers.
            return _pool_tensor(features[-1][-1], num_segments)
        return torch.cat([pool_clips(part, num_segments) for part in features], dim=1)
    raise ValueError(_unreadable(features))


def frames_per_clip(head: object) -> int | None:
    """Frames that a head counts as one clip, None if it gets whole clips.

    Args:
        head (object): Of a recognizer; ``SLICHead`` and ``TSMHead`` have ``num_segments``.
    """
    return getattr(head, "num_segments", None)


def _pool_tensor(features: Tensor, num_segments: int | None) -> Tensor:
    if features.ndim == 5 and num_segments is None:
        return features.mean(dim=(2, 3, 4))
    if features.ndim == 4 and num_segments is not None:
        return _join_segments(features.mean(dim=(2, 3)), num_segments)
    if features.ndim in (2, 3):
        rows = features.mean(dim=1) if features.ndim == 3 else features
        return rows if num_segments is None else _join_segments(rows, num_segments)
    if features.ndim == 4:
        raise ValueError(
            f"The backbone returned {_describe(features)}, one row for each frame, as 2D networks "
            "do: set cls_head.num_segments to the frames of a clip (clip_len of the pipeline)."
        )
    if features.ndim == 5:
        raise ValueError(
            f"The backbone returned {_describe(features)}, one row for each clip, but "
            f"cls_head.num_segments={num_segments} is for 2D networks: remove it."
        )
    raise ValueError(_unreadable(features))


def _join_segments(frames: Tensor, num_segments: int) -> Tensor:
    if len(frames) % num_segments:
        raise ValueError(
            f"cls_head.num_segments={num_segments} does not divide the {len(frames)} frames that "
            "the backbone returned: set it to clip_len of the pipeline."
        )
    return frames.unflatten(0, (-1, num_segments)).mean(dim=1)


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
