"""Exact first neighbours: the nearest other point of every embedding."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.dist import all_reduce, get_dist_info
from torch import Tensor
from torch.nn.functional import pad

from ..nearest import Array, check_matrix, exact_pair_similarities, exact_rows, exact_similarities
from ..progress import track
from ..ranks import together

_CPU_BLOCK = 1024  # rows; the product of two blocks stays in a core's cache
_ACCELERATOR_BLOCK = 8192
_TILE = 64  # scores whose maximum is compared first
_PAIR_ELEMENTS = 1 << 21
_UNIT_ROUNDOFF = 2.0**-24  # of float32
# Share of candidates in the product of two blocks above which all of it is computed in float64.
_DENSE_SHARE = 1 / 16


def first_neighbors(
    embeddings: Array, metric: str = "cosine", backend: str = "auto", on_all_ranks: bool = False
) -> np.ndarray:
    """Find the index of the nearest other point of every point.

    The search computes float32 products block by block, each pair of blocks once, with O(N)
    memory. Candidates closer together than float32's rounding error are compared in float64.
    Ties (cosines that differ by less than 2**-40, distances that agree in 40 bits) go to the
    lowest index. The result therefore depends neither on the device nor on the number of ranks.
    A point is never its own neighbour; exact duplicates are neighbours of each other.

    Args:
        embeddings: (N, D) array or tensor, N >= 2, memory-mapped or not. The search runs on its
            device. A zero row has cosine similarity 0 to every row.
        metric: ``'cosine'`` or ``'euclidean'``.
        backend: ``'torch'``, or ``'auto'``, which is the same.
        on_all_ranks: Whether every rank of ``torch.distributed`` calls this with the same
            embeddings and searches its share. An error on one rank is raised on all.

    Returns:
        (N,) int64 indices.

    Raises:
        ValueError: If there is only one point, a value is NaN or Inf, or an option is unknown.

    Examples:
        >>> from slic_mmaction.clustering import first_neighbors
        >>> first_neighbors(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]))
        array([1, 0, 3, 2])
        >>> first_neighbors(np.array([[0.0], [1.0], [10.0]]), metric="euclidean")
        array([1, 0, 1])
    """
    if backend not in ("auto", "torch"):
        raise ValueError(f"The backend is 'auto' or 'torch', but got {backend!r}.")
    rank, size = get_dist_info() if on_all_ranks else (0, 1)

    def search_share() -> _Nearest:
        matrix = check_matrix(embeddings, metric)
        if len(matrix) < 2:
            raise ValueError(
                "first_neighbors needs at least two embeddings: a single one has no neighbour."
            )
        found = _Nearest(_Points(matrix, metric))
        found.search(rank, size)
        return found

    if size == 1:
        found = search_share()
        found.decide()
        return found.index.cpu().numpy()
    found = together(search_share)
    # Candidates below the best score of any rank need no comparison.
    all_reduce(found.floor, "max")
    together(found.decide)
    own = found.similarity.clone()
    all_reduce(found.similarity, "max")
    found.index[own < found.similarity] = len(own)
    all_reduce(found.index, "min")
    return found.index.cpu().numpy()


class _Points:
    """Points as factors of float32 products (scores) that grow as the distance falls.

    Cosine: rows have length 1, and the score of two rows is their cosine. Euclidean: rows are
    centred, and the score is ``-d^2 / 2``, written as an inner product of rows with two more
    columns. Factors are computed block by block, without a second copy of the matrix.
    """

    def __init__(self, matrix: Tensor, metric: str) -> None:
        self.matrix = matrix
        self.metric = metric
        self.center = torch.zeros(matrix.size(1), dtype=torch.float64, device=matrix.device)
        blocks = matrix.split(max(1, _PAIR_ELEMENTS // matrix.size(1)))
        if metric == "euclidean":
            # Distances do not depend on the centre, but a central one keeps |x|^2 small.
            self.center = torch.stack([block.double().sum(0) for block in blocks]).sum(0)
            self.center /= len(matrix)
        self.norms = torch.cat([(block.double() - self.center).norm(dim=1) for block in blocks])
        self._scale = torch.where(self.norms > 0, 1 / self.norms, 0.0)
        # Error of a score, as a multiple of (|x| + |y|)^2: accumulation in the product (Higham,
        # Accuracy and Stability of Numerical Algorithms, section 3.1), rounding of the rows, and
        # the rounding of factors that torch's settings allow.
        self._error = (matrix.size(1) + 8) * _UNIT_ROUNDOFF + _factor_rounding(matrix.device)

    def factors(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Compute the left and right factors (n, E) float32 of rows in a product."""
        exact = self.matrix[rows].double()
        if self.metric == "cosine":
            unit = (exact * self._scale[rows, None]).float()
            return unit, unit
        centered = (exact - self.center).float()
        half = centered.square().sum(1, keepdim=True) / 2
        one = torch.ones_like(half)
        return torch.cat((centered, -half, one), 1), torch.cat((centered, one, -half), 1)

    def slack(self, rows: Tensor, best: Tensor) -> Tensor:
        """Bound how far the score of the true nearest point may lie below the best score (n,).

        The nearest row y is at most as far as the best one found, so |y| <= |x| + d. The bound
        therefore does not depend on the longest row.
        """
        if self.metric == "cosine":
            return torch.full_like(best, 8 * self._error)
        reach = 2 * self.norms[rows].float() + (-2 * best).clamp_min(0).sqrt()
        # 2.5 instead of 2, because d has an error itself and this is computed in float32.
        # Products of tiny embeddings underflow, which a relative error does not cover.
        underflow = 4 * (self.matrix.size(1) + 8) * torch.finfo(torch.float32).tiny
        return 2.5 * self._error * reach.square() + underflow

    def exact(self, rows: slice | Tensor) -> Tensor:
        """Return the rows (n, D) for exact similarities."""
        return exact_rows(self.matrix[rows], self.metric)


def _factor_rounding(device: torch.device) -> float:
    """Measure the relative rounding of the factors of a float32 product on this device.

    It is 0 unless torch may use TF32 or bfloat16 for them (``torch.set_float32_matmul_precision``
    and ``torch.backends``), which many training scripts allow. It is measured because there are
    several settings whose meaning depends on the device.
    """
    one = torch.zeros(256, 256, device=device)
    one[:, 0] = 1
    for bits in (8, 11):  # of bfloat16 and of TF32
        # The format drops this bit, which is one more than it has.
        if not bool(((one * (1 + 2.0**-bits) @ one.t()) == 1 + 2.0**-bits).all()):
            return 2.0**-bits
    return 0.0


class _Nearest:
    """The nearest other point of every point, among the pairs searched so far.

    Attributes:
        floor: (N,) float32, the lowest possible score of the nearest point.
        similarity: (N,) float64, the largest exact similarity found; -inf at first.
        index: (N,) int64, the lowest index with that similarity; N at first.
    """

    def __init__(self, points: _Points) -> None:
        count, device = len(points.matrix), points.matrix.device
        self.points = points
        self.floor = torch.full((count,), torch.finfo(torch.float32).min, device=device)
        self.similarity = torch.full((count,), -torch.inf, dtype=torch.float64, device=device)
        self.index = torch.full((count,), count, device=device)
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = []
        self._num_waiting = 0
        if points.metric == "cosine":
            # All points are equally far from a zero row: the lowest other index wins the tie.
            zero = (points.norms == 0).nonzero().flatten()
            self.floor[zero] = torch.inf
            self.similarity[zero] = torch.inf
            self.index[zero] = (zero == 0).long()

    def search(self, share: int, shares: int) -> None:
        """Search one of ``shares`` shares of all pairs of points."""
        count, device = len(self.index), self.floor.device
        size = _CPU_BLOCK if device.type == "cpu" else _ACCELERATOR_BLOCK
        blocks = [slice(i, min(i + size, count)) for i in range(0, count, size)]
        room = torch.empty(min(size, count) ** 2, device=device)
        # Blocks form a ring. Each is multiplied by itself and by the half of the ring that
        # follows, so that all blocks have the same work.
        own = range(share, len(blocks), shares)
        for i in track(own, len(own), "Searching first neighbours"):
            left = self.points.factors(blocks[i])[0]
            for step in range(len(blocks) // 2 + 1):
                j = (i + step) % len(blocks)
                if 2 * step == len(blocks) and i > j:
                    continue  # the ring has each pair of opposite blocks twice
                right = self.points.factors(blocks[j])[1]
                scores = room[: len(left) * len(right)].view(len(left), len(right))
                torch.mm(left, right.t(), out=scores)
                if i == j:
                    scores.fill_diagonal_(-torch.inf)
                ragged = -len(right) % _TILE, -len(left) % _TILE
                if any(ragged):
                    scores = pad(scores, (0, ragged[0], 0, ragged[1]), value=-torch.inf)
                tiles = scores.unflatten(1, (-1, _TILE))
                self._see(tiles, tiles.amax(2), blocks[i], blocks[j])
                if i != j:
                    tiles = scores.unflatten(0, (-1, _TILE))
                    self._see(tiles.permute(2, 0, 1), tiles.amax(1).t(), blocks[j], blocks[i])

    def _see(self, scores: Tensor, highest: Tensor, rows: slice, columns: slice) -> None:
        """Keep candidates by the scores (>= n, T, 64) of n points with T tiles of other points.

        ``highest`` (>= n, T) is the largest score of each tile.
        """
        highest = highest[: rows.stop - rows.start]
        best = highest.amax(1)
        hit = (best >= self.floor[rows]).nonzero().flatten()
        if not len(hit):
            return
        own, best = hit + rows.start, best[hit]
        floor = torch.maximum(self.floor[own], best - self.points.slack(own, best))
        self.floor[own] = floor
        who, tile = (highest[hit] >= floor[:, None]).nonzero(as_tuple=True)
        near = scores[hit[who], tile]
        which, place = (near >= floor[who, None]).nonzero(as_tuple=True)
        if len(which) > _DENSE_SHARE * len(hit) * (columns.stop - columns.start):
            x, y = self.points.exact(own), self.points.exact(columns)
            exact = exact_similarities(x, y, self.points.metric)
            if rows == columns:
                exact[torch.arange(len(hit), device=hit.device), hit] = -torch.inf
            nearest = exact.argmax(1)  # the first of equal maxima
            self._take(own, exact.gather(1, nearest[:, None])[:, 0], columns.start + nearest)
            return
        others = columns.start + tile[which] * _TILE + place
        self._waiting.append((own[who[which]], others, near[which, place]))
        self._num_waiting += len(which)
        if self._num_waiting > 2 * len(self.index) + _PAIR_ELEMENTS // 8:
            self.decide()

    def decide(self) -> None:
        """Compare the remaining candidates in float64."""
        if not self._waiting:
            return
        who, which, score = (torch.cat(column) for column in zip(*self._waiting))
        self._waiting, self._num_waiting = [], 0
        possible = score >= self.floor[who]
        who, which = who[possible], which[possible]
        similarity = torch.empty(len(who), dtype=torch.float64, device=who.device)
        step = max(1, _PAIR_ELEMENTS // self.points.matrix.size(1))
        for start in range(0, len(who), step):
            part = slice(start, start + step)
            x, y = self.points.exact(who[part]), self.points.exact(which[part])
            similarity[part] = exact_pair_similarities(x, y, self.points.metric)
        best = torch.full_like(self.similarity, -torch.inf)
        best.scatter_reduce_(0, who, similarity, "amax")
        first = similarity == best[who]
        index = torch.full_like(self.index, len(self.index))
        index.scatter_reduce_(0, who[first], which[first], "amin")
        self._take(torch.arange(len(index), device=index.device), best, index)

    def _take(self, rows: Tensor, similarity: Tensor, index: Tensor) -> None:
        before, lowest = self.similarity[rows], self.index[rows]
        better = (similarity > before) | ((similarity == before) & (index < lowest))
        self.similarity[rows] = torch.where(better, similarity, before)
        self.index[rows] = torch.where(better, index, lowest)
