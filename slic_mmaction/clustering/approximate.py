"""First neighbours beyond exact search, with their recall measured."""

from __future__ import annotations

import logging

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from ..progress import track
from .cells import cells_of_clusters, cells_of_rows
from .links import components
from .prepared_rows import PreparedRows
from .settle import nearest_exactly

_SAMPLE = 1000
_RECALL = 0.99
_MAX_ROUNDS = 40
# Rounds that divide single rows, before the found links tell what belongs together; and from
# then on every so many again, for what was linked wrongly.
_ROW_ROUNDS = 3
_ROW_ROUND_EVERY = 5
_QUERIES_AT_ONCE = 1024


def approximate_neighbors(rows: PreparedRows) -> np.ndarray:
    """Nearest other row among those that were ever in one cell with a row.

    Each round divides the rows into about ``sqrt(N)`` cells around randomly chosen rows and
    searches every cell exactly. After three rounds, the components of the links found so far
    are divided instead of rows: their means hold less noise than a row, so what belongs
    together falls into one cell far more often. Rounds end when a sample of 1,000 rows, whose
    neighbours are searched exactly, reaches a recall of 0.99, or after 40. Time for a round is
    that of about ``2 N^1.5`` inner products, memory O(N). Embeddings without any structure are
    the worst case.

    Args:
        rows: N rows.

    Returns:
        (N,) int64.
    """
    generator = torch.Generator().manual_seed(0)
    sample = torch.randperm(len(rows), generator=generator)[:_SAMPLE].to(rows.device)
    truth = nearest_exactly(rows, sample)
    found = _Found(rows)
    recall, rounds = 0.0, 0
    for rounds in track(range(1, _MAX_ROUNDS + 1), _MAX_ROUNDS, "Searching cells (rounds)"):
        if rounds <= _ROW_ROUNDS or rounds % _ROW_ROUND_EVERY == 0:
            cells = cells_of_rows(rows, generator)
        else:
            cells = cells_of_clusters(rows, components(rows, found.links(), None), generator)
        for cell in cells:
            found.search(cell)
        recall = _recall(rows, sample, found.index[sample], truth)
        if recall >= _RECALL:
            break
    print_log(
        f"First neighbours of {len(rows)} embeddings are approximate, after {rounds} rounds: of a "
        f"sample of {len(sample)}, {100 * recall:.1f}% have their exact nearest neighbour.",
        logger="current",
        level=logging.INFO if recall >= _RECALL else logging.WARNING,
    )
    lonely = (found.index < 0).nonzero().flatten()
    if len(lonely):
        # Rows that were alone in their cell every time.
        found.index[lonely] = nearest_exactly(rows, lonely)
    return found.index.cpu().numpy()


class _Found:
    """Nearest row found so far of every row.

    Attributes:
        index: (N,) int64, -1 where there is none yet.
    """

    def __init__(self, rows: PreparedRows) -> None:
        self.rows = rows
        self.score = torch.full((len(rows),), -torch.inf, device=rows.device)
        self.index = torch.full((len(rows),), -1, dtype=torch.int64, device=rows.device)

    def search(self, cell: Tensor) -> None:
        """Compare all rows (n,) of a cell with each other."""
        if len(cell) < 2:
            return
        left, right = self.rows.scoring(cell)
        for start in range(0, len(cell), _QUERIES_AT_ONCE):
            queries = cell[start : start + _QUERIES_AT_ONCE]
            scores = left[start : start + _QUERIES_AT_ONCE] @ right.t()
            own = torch.arange(len(queries), device=cell.device)
            scores[own, start + own] = -torch.inf
            best, where = scores.max(1)
            better = best > self.score[queries]
            self.score[queries[better]] = best[better]
            self.index[queries[better]] = cell[where[better]]

    def links(self) -> np.ndarray:
        """(N,) int64: the neighbour found so far, or the row itself."""
        own = torch.arange(len(self.index), device=self.index.device)
        return torch.where(self.index < 0, own, self.index).cpu().numpy()


def _recall(rows: PreparedRows, queries: Tensor, found: Tensor, truth: Tensor) -> float:
    """Share of rows for which the exact nearest row, or one as near, was found."""
    x = rows.exact(queries)
    nearest = (x - rows.exact(truth)).square().sum(1)
    distance = (x - rows.exact(found.clamp_min(0))).square().sum(1)
    return float(((distance <= nearest + 1e-12) & (found >= 0)).double().mean())
