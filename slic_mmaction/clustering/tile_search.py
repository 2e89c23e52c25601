"""Best scores of every row with tiles of rows, each pair of blocks multiplied once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..progress import track
from .prepared_rows import PreparedRows

TILE = 256  # rows
_CPU_BLOCK = 1024  # rows; the product of two blocks stays in a core's cache
_ACCELERATOR_BLOCK = 8192
_WAITING = 64  # blocks whose maxima are sorted at once


class TileScores(NamedTuple):
    """The tiles that may hold the nearest other row of every row.

    Attributes:
        scores: (N, K) float32, descending: largest score with a row of the tile. Tiles that
            are not listed have at most the last of these; -inf where there are fewer tiles.
        tiles: (N, K) int32, ``t`` for the rows ``t * TILE`` to ``(t + 1) * TILE - 1``.
        error: (N,) float32, bound of the scores' error beyond that of float32.
    """

    scores: Tensor
    tiles: Tensor
    error: Tensor


def search_tiles(
    rows: PreparedRows, precision: str = "float32", share: int = 0, shares: int = 1
) -> TileScores:
    """Largest score of every row with each tile of other rows, the best ones kept.

    A score is symmetric, so the product of two blocks of rows serves both. Only maxima over
    tiles leave a block: finding the row in a tile is left to :func:`settle`, for the few tiles
    that matter. Time is that of N^2 / 2 inner products, memory O(N).

    Args:
        rows: N rows.
        precision: ``'float32'``, or ``'bfloat16'`` for the cosine metric: faster, with a larger
            ``error``.
        share: Which part of the block pairs to do; :func:`merge` puts parts together.
        shares: Number of parts.

    Returns:
        Scores, tiles and error of all N rows.
    """
    size = _CPU_BLOCK if rows.device.type == "cpu" else _ACCELERATOR_BLOCK
    num_blocks = -(-len(rows) // size)
    blocks = [slice(i * size, min((i + 1) * size, len(rows))) for i in range(num_blocks)]
    scorer = _Float32(rows) if precision == "float32" else _BFloat16(rows)
    scores = torch.full((len(rows), scorer.kept), -torch.inf, device=rows.device)
    tiles = torch.zeros(len(rows), scorer.kept, dtype=torch.int32, device=rows.device)
    # Blocks in a ring: each goes with itself and the half of the ring that follows, so every
    # one has the same work.
    own = range(share, num_blocks, shares)
    for i in track(own, len(own), "Searching first neighbours"):
        left = scorer.factor(blocks[i])
        waiting: list[tuple[Tensor, int]] = []
        for step in range(num_blocks // 2 + 1):
            j = (i + step) % num_blocks
            if 2 * step == num_blocks and i > j:
                continue  # opposite blocks meet twice
            by_row, by_column = scorer.maxima(left, blocks[j], same=i == j)
            waiting.append((by_row, blocks[j].start // TILE))
            if i != j:
                first = blocks[i].start // TILE
                _keep_best(scores[blocks[j]], tiles[blocks[j]], [(by_column, first)])
            if len(waiting) == _WAITING:
                _keep_best(scores[blocks[i]], tiles[blocks[i]], waiting)
                waiting = []
        _keep_best(scores[blocks[i]], tiles[blocks[i]], waiting)
    scorer.mark_unknown(scores)
    return TileScores(scores, tiles, scorer.error(scores[:, 0]))


def merge(parts: list[TileScores]) -> TileScores:
    """Best tiles of several parts of a search, for the same rows."""
    scores = torch.cat([part.scores for part in parts], 1)
    tiles = torch.cat([part.tiles for part in parts], 1)
    best = scores.topk(parts[0].scores.size(1), dim=1)
    # The error grows with the best score, which is that of one of the parts.
    error = torch.stack([part.error for part in parts]).amax(0)
    return TileScores(best.values, tiles.gather(1, best.indices), error)


def _keep_best(scores: Tensor, tiles: Tensor, found: list[tuple[Tensor, int]]) -> None:
    """Work maxima into the best (n, K), in place.

    Each of ``found`` is maxima (n, T) of T tiles and the number of the first of them.
    """
    if not found:
        return
    maxima = torch.cat([part for part, _ in found], 1)
    better = (maxima.amax(1) > scores[:, -1]).nonzero().flatten()
    if not len(better):
        return
    ranges = [torch.arange(first, first + part.size(1)) for part, first in found]
    numbers = torch.cat(ranges).to(tiles.device, tiles.dtype)
    all_scores = torch.cat((scores[better], maxima[better]), 1)
    all_tiles = torch.cat((tiles[better], numbers.expand(len(better), -1)), 1)
    best = all_scores.topk(scores.size(1), dim=1)
    scores[better] = best.values
    tiles[better] = all_tiles.gather(1, best.indices)


class _Float32:
    """Scores of blocks of rows, and their maxima over tiles, in float32."""

    kept = 5

    def __init__(self, rows: PreparedRows) -> None:
        self.rows = rows
        self._buffers: dict[tuple[int, int], Tensor] = {}

    def factor(self, block: slice) -> Tensor:
        return self.rows.scoring(block)[0]

    def error(self, best: Tensor) -> Tensor:
        """Error (N,) beyond float32's of scores up to the best ones (N,)."""
        return torch.zeros_like(best)

    def mark_unknown(self, scores: Tensor) -> None:
        """Set the scores of rows whose maxima say nothing to -inf; there are none here."""

    def maxima(self, left: Tensor, block: slice, same: bool) -> tuple[Tensor, Tensor]:
        """Maxima over tiles of the columns (n, T) and of the rows (m, T') of a product."""
        products = self._products(left, self.rows.scoring(block)[1])
        if same:
            products.fill_diagonal_(-torch.inf)
        width, height = products.size(1), len(products)
        if width % TILE or height % TILE:
            products = pad(products, (0, -width % TILE, 0, -height % TILE), value=-torch.inf)
        by_row = self._tile_maxima(products.view(len(products), -1, TILE), 2)[:height]
        by_column = self._tile_maxima(products.view(-1, TILE, products.size(1)), 1)[:, :width]
        return by_row, by_column.t()

    def _products(self, left: Tensor, right: Tensor) -> Tensor:
        shape = (len(left), len(right))
        if shape not in self._buffers:
            self._buffers = {shape: left.new_empty(shape)}
        return torch.mm(left, right.t(), out=self._buffers[shape])

    def _tile_maxima(self, products: Tensor, dim: int) -> Tensor:
        return products.amax(dim)


class _BFloat16(_Float32):
    """The same in bfloat16, with half the bits and on most processors twice the speed."""

    kept = 12  # more rows come close to the best one

    def __init__(self, rows: PreparedRows) -> None:
        super().__init__(rows)
        # |<x, y> - <x', y'>| <= |x - x'| |y| + |x'| |y - y'| for rounded x', y'; unit rows.
        self._rounding = torch.empty(len(rows), device=rows.device)
        for block in rows.blocks():
            exact = rows.scoring(block)[0]
            self._rounding[block] = (exact - exact.bfloat16().float()).norm(dim=1)

    def factor(self, block: slice) -> Tensor:
        return super().factor(block).bfloat16()

    def error(self, best: Tensor) -> Tensor:
        """Rounding of both rows, and of a score to eight bits: half a step at the best one."""
        exponent = torch.frexp(best.clamp(2.0**-20, 1 - 2.0**-9)).exponent
        half_step = torch.ldexp(torch.ones_like(best), exponent - 9)
        return 1.01 * (self._rounding + self._rounding.max() + half_step)

    def mark_unknown(self, scores: Tensor) -> None:
        """Where the best is the bound for negative scores, nothing is known."""
        scores[scores[:, 0] <= 0] = -torch.inf

    def _products(self, left: Tensor, right: Tensor) -> Tensor:
        return super()._products(left, right.bfloat16())

    def _tile_maxima(self, products: Tensor, dim: int) -> Tensor:
        # Positive floats are ordered as the integers of the same bits, whose maximum is several
        # times faster. Where all are negative the bits mislead: 0 is then an upper bound.
        bits = products.view(torch.int16).amax(dim)
        return torch.where(bits < 0, 0, bits).view(torch.bfloat16).float()
