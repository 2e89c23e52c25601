"""From the few tiles that may hold a nearest row to the row itself, decided in float64."""

from __future__ import annotations

import torch
from torch import Tensor

from .prepared_rows import PreparedRows
from .tile_search import TILE, TileScores

_TIE = 1e-12
_PAIR_ELEMENTS = 1 << 21
# Candidates of a product of rows with a tile above which all of it is done in float64.
_DENSE_SHARE = 1 / 16
_ROWS_AT_ONCE = 8192


def settle(rows: PreparedRows, found: TileScores, own: range) -> tuple[Tensor, int]:
    """Nearest other row, exactly, of the rows ``own``.

    Rows that the search could not tell apart are compared in float64, up to its rounding; ties
    go to the lowest index. So the result does not depend on who searched, or how precisely.

    Args:
        rows: N rows.
        found: What the search found for the rows ``own``.
        own: The rows to settle.

    Returns:
        (len(own),) int64 indices of rows, and the number of rows for which all tiles had to be
        gone through, because more of them than the search keeps may hold the nearest.
    """
    queries = torch.arange(own.start, own.stop, device=rows.device)
    best = found.scores[:, 0]
    slack = rows.slack(queries, best)
    limit = best - slack - 2 * found.error
    open_ended = found.scores[:, -1] >= limit
    everywhere = open_ended.nonzero().flatten()
    maybe = (found.scores[:, :-1] >= limit[:, None]) & ~open_ended[:, None]
    who, which = maybe.nonzero(as_tuple=True)
    where = found.tiles[who, which]
    order = where.argsort(stable=True)
    who, where = who[order], where[order]

    nearest = _Nearest(rows, queries, best - slack - found.error)
    num_tiles = -(-len(rows) // TILE)
    ends = torch.bincount(where, minlength=num_tiles).cumsum(0).tolist()
    for tile, (start, end) in enumerate(zip([0, *ends], ends)):
        for points in torch.cat((who[start:end], everywhere)).split(_ROWS_AT_ONCE):
            nearest.look(points, tile)
    return nearest.index, len(everywhere)


def nearest_exactly(rows: PreparedRows, queries: Tensor) -> Tensor:
    """Nearest other row (n,) int64 of some rows (n,), without a search before."""
    unknown = torch.full((len(queries),), -torch.inf, device=rows.device)
    nearest = _Nearest(rows, queries, unknown)
    points = torch.arange(len(queries), device=rows.device)
    for tile in range(-(-len(rows) // TILE)):
        for part in points.split(_ROWS_AT_ONCE):
            nearest.look(part, tile)
    return nearest.index


class _Nearest:
    """Nearest row seen so far of each of some rows.

    Args:
        rows: All rows.
        queries: (n,) int64 numbers of the rows that are looked after.
        limit: (n,) float32 score that their nearest rows have at least, as computed here.
    """

    def __init__(self, rows: PreparedRows, queries: Tensor, limit: Tensor) -> None:
        self.rows = rows
        self.queries = queries
        self.limit = limit.clamp_min(torch.finfo(torch.float32).min)
        self.distance = torch.full(limit.shape, torch.inf, dtype=torch.float64, device=rows.device)
        self.index = torch.full_like(queries, -1)

    def look(self, points: Tensor, tile: int) -> None:
        """Compare ``queries[points]`` with the rows of a tile, tiles in ascending order."""
        if not len(points):
            return
        keys = slice(tile * TILE, min((tile + 1) * TILE, len(self.rows)))
        queries = self.queries[points]
        scores = self.rows.scoring(queries)[0] @ self.rows.scoring(keys)[1].t()
        itself = ((queries >= keys.start) & (queries < keys.stop)).nonzero().flatten()
        scores[itself, queries[itself] - keys.start] = -torch.inf
        best = scores.amax(1)
        # A row that goes through all tiles has nothing to find in most of them.
        limit = torch.maximum(self.limit[points], best - self.rows.slack(queries, best))
        hit = (best >= limit).nonzero().flatten()
        points, queries, scores, limit = points[hit], queries[hit], scores[hit], limit[hit]
        candidates = scores >= limit[:, None]
        if candidates.sum() > _DENSE_SHARE * candidates.numel():
            distances = _all_distances(self.rows.exact(queries), self.rows.exact(keys), self.rows)
            distances.masked_fill_(scores == -torch.inf, torch.inf)
            nearest = distances.amin(1)
            tied = distances <= self._tie(nearest)[:, None]
            # The first of equal maxima.
            self._take(points, nearest, keys.start + tied.to(torch.int8).argmax(1))
            return
        who, which = candidates.nonzero(as_tuple=True)
        distances = self._pair_distances(queries[who], keys.start + which)
        nearest = torch.full_like(self.distance[points], torch.inf)
        nearest.scatter_reduce_(0, who, distances, "amin")
        tied = distances <= self._tie(nearest)[who]
        index = torch.full_like(points, len(self.rows))
        index.scatter_reduce_(0, who[tied], keys.start + which[tied], "amin")
        self._take(points, nearest, index)

    def _take(self, points: Tensor, distance: Tensor, index: Tensor) -> None:
        before = self.distance[points]
        # Of rows equally near the first seen stays, which has the lowest index.
        nearer = before > self._tie(distance)
        self.index[points] = torch.where(nearer, index, self.index[points])
        self.distance[points] = torch.where(nearer, distance, before)
        # What is as near now comes out at this score at least.
        score = self._score(self.distance[points]).float()
        limit = score - self.rows.slack(self.queries[points], score)
        self.limit[points] = torch.maximum(self.limit[points], limit)

    def _score(self, distance: Tensor) -> Tensor:
        """Score of rows at a distance."""
        return 1 - distance if self.rows.metric == "cosine" else -distance.square() / 2

    def _tie(self, distance: Tensor) -> Tensor:
        """Largest distance that counts as equal."""
        return distance + _TIE if self.rows.metric == "cosine" else distance * (1 + _TIE)

    def _pair_distances(self, left: Tensor, right: Tensor) -> Tensor:
        distances = torch.empty(len(left), dtype=torch.float64, device=left.device)
        step = max(1, _PAIR_ELEMENTS // self.rows.dim)
        for i, j, target in zip(left.split(step), right.split(step), distances.split(step)):
            x, y = self.rows.exact(i), self.rows.exact(j)
            cosine = self.rows.metric == "cosine"
            target.copy_(1 - (x * y).sum(1) if cosine else (x - y).norm(dim=1))
        return distances


def _all_distances(x: Tensor, y: Tensor, rows: PreparedRows) -> Tensor:
    if rows.metric == "cosine":
        return 1 - x @ y.t()
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
