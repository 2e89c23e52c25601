"""From whatever a backbone returns to one feature vector per clip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pool_clips(features: Tensor | Sequence[Tensor]) -> Tensor:
    """Average a backbone's output over time and space.

    Args:
        features (Tensor | Sequence[Tensor]): (N, C, T, H, W), (N, C), or a sequence of
            such tensors, one for each pathway (SlowFast), which are concatenated.

    Returns:
        Tensor: (N, sum of C).

    Raises:
        ValueError: If the output has another form; the message names what came.
    """
    if isinstance(features, Tensor):
        if features.ndim == 5:
            return features.mean(dim=(2, 3, 4))
        if features.ndim == 2:
            return features
    elif features and all(isinstance(pathway, Tensor) for pathway in features):
        return torch.cat([pool_clips(pathway) for pathway in features], dim=1)
    raise ValueError(
        "SLICHead reads backbone outputs of shape (N, C, T, H, W) or (N, C), or a sequence of "
        f"them, but the backbone returned {_describe(features)}."
    )


def _describe(features: object) -> str:
    if isinstance(features, Tensor):
        return f"a tensor of shape {tuple(features.shape)}"
    if isinstance(features, (tuple, list)):
        return f"a {type(features).__name__} of ({', '.join(_describe(f) for f in features)})"
    return f"a {type(features).__name__}"
