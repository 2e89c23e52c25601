"""First neighbours from shares of the work: of one process or of many."""

from __future__ import annotations

import logging

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from .duplicates import find_duplicates
from .exchange import Exchange
from .faiss_search import own_rows
from .prepared_rows import PreparedRows
from .search import Search
from .settle import settle
from .tile_search import TileScores


def search_together(matrix: Tensor, metric: str, search: Search, exchange: Exchange) -> np.ndarray:
    """First neighbours by all ranks of an exchange, each with a share of the work.

    Args:
        matrix: (N, D), the same on every rank.
        metric: ``'cosine'`` or ``'euclidean'``.
        search: What every rank searches with.
        exchange: Puts the parts together.

    Returns:
        (N,) int64, on every rank.
    """
    distinct, firsts, neighbors = exchange.in_step(lambda: _prepare(matrix, metric))
    alone = np.flatnonzero(neighbors < 0)
    if not len(alone):
        return neighbors
    count = len(distinct)
    found = exchange.in_step(lambda: search(distinct, exchange.rank, exchange.size))
    found = exchange.own_part(found, count)
    own = own_rows(count, exchange.rank, exchange.size)
    settled = exchange.in_step(lambda: _settle(distinct, found, own))
    nearest = exchange.all_rows(settled, count)
    neighbors[alone] = firsts[nearest[np.searchsorted(firsts, alone)]]
    return neighbors


def _prepare(matrix: Tensor, metric: str) -> tuple[PreparedRows, np.ndarray, np.ndarray]:
    """Distinct rows (U), their lowest indices (U,), and neighbours (N,) that need no search."""
    rows = PreparedRows(matrix, metric)
    firsts, neighbors = find_duplicates(rows)
    if metric == "cosine":
        # Everything is equally far from a zero row: the lowest other index wins the tie.
        zero = (rows.norms == 0).nonzero().flatten().cpu().numpy()
        neighbors[zero] = np.where(zero == 0, 1, 0)
    if len(firsts) < len(rows):
        rows = PreparedRows(matrix, metric, torch.from_numpy(firsts).to(matrix.device))
    return rows, firsts, neighbors


def _settle(rows: PreparedRows, found: TileScores, own: range) -> Tensor:
    nearest, everywhere = settle(rows, found, own)
    if everywhere > len(own) // 20:
        print_log(
            f"Neighbour search: {everywhere} of {len(own)} embeddings are as close to many others "
            "as rounding, so all others were gone through for them: this takes longer.",
            logger="current",
            level=logging.INFO,
        )
    return nearest
