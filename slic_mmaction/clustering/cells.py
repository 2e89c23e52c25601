"""Dividing rows into cells, each around one of them, for a search within cells."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .cluster_means import cluster_means
from .prepared_rows import PreparedRows

_BLOCK_ELEMENTS = 1 << 22
# Cells beyond this multiple of the mean size are cut, so that rows which are all alike do not
# make one cell of everything.
_MAX_SIZE = 4


def cells_of_rows(rows: PreparedRows, generator: torch.Generator) -> list[Tensor]:
    """Cells of the rows nearest to each of ``sqrt(N)`` randomly chosen ones.

    Args:
        rows: N rows.
        generator: Draws the centres, on the CPU.

    Returns:
        Row numbers (n,) int64 of every cell; each row is in one.
    """
    return _lists(_nearest_center(rows, round(len(rows) ** 0.5), generator), len(rows))


def cells_of_clusters(
    rows: PreparedRows, labels: np.ndarray, generator: torch.Generator
) -> list[Tensor]:
    """Cells of whole clusters, by their means.

    Args:
        rows: N rows.
        labels: (N,) int64 in 0 .. C - 1, each at least once.
        generator: Draws the centres, on the CPU.

    Returns:
        As for :func:`cells_of_rows`.
    """
    means = cluster_means(rows.matrix, labels, int(labels.max()) + 1)
    cell = _nearest_center(PreparedRows(means, rows.metric), round(len(rows) ** 0.5), generator)
    return _lists(cell[torch.from_numpy(labels).to(cell.device)], len(rows))


def _nearest_center(rows: PreparedRows, count: int, generator: torch.Generator) -> Tensor:
    """Number of the nearest of ``count`` randomly chosen rows, for every row."""
    chosen = torch.randperm(len(rows), generator=generator)[:count].to(rows.device)
    centers = rows.scoring(chosen)[1].t()
    cell = torch.empty(len(rows), dtype=torch.int64, device=rows.device)
    for block in rows.blocks(centers.size(1)):
        cell[block] = (rows.scoring(block)[0] @ centers).max(1).indices
    return cell


def _lists(cell: Tensor, num_rows: int) -> list[Tensor]:
    order = cell.argsort(stable=True)
    limit = max(2, round(_MAX_SIZE * num_rows**0.5))
    parts = order.split(torch.bincount(cell).tolist())
    return [piece for part in parts if len(part) for piece in part.split(limit)]
