"""Embeddings of the same videos seen in two ways, made one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .embedding_matrix import new_matrix

_BLOCK_ROWS = 1 << 16


def join_views(views: Iterable[Tensor], max_bytes: int, folder: Path) -> Tensor:
    """Join embeddings so that each view counts alike for which videos are near.

    Of each view, rows are scaled to length 1, centred, and scaled again. Without the centring a
    view whose embeddings are all similar, as those of faint frame differences are, would decide
    on no neighbour. The cosine of two joined rows is the mean of the views' cosines.

    Args:
        views (Iterable[Tensor]): (N, D) each; D may differ.
        max_bytes (int): A larger result goes to a memory-mapped file.
        folder (Path): Where that file lies.

    Returns:
        Tensor: (N, sum of all D) float32, on the first view's device or in the file.
    """
    views = list(views)
    rows, width = len(views[0]), sum(view.size(1) for view in views)
    joined = new_matrix(rows, width, views[0].device, max_bytes, folder)
    begin = 0
    for view in views:
        columns = slice(begin, begin + view.size(1))
        begin = columns.stop
        total = torch.zeros(view.size(1), dtype=torch.float64, device=view.device)
        for block in view.split(_BLOCK_ROWS):
            total += normalize(block, dim=1).sum(dim=0, dtype=torch.float64)
        mean = (total / rows).float()
        for number, block in enumerate(view.split(_BLOCK_ROWS)):
            start = number * _BLOCK_ROWS
            centred = normalize(normalize(block, dim=1) - mean, dim=1)
            joined[start : start + len(block), columns] = centred.to(joined.device)
    return joined
