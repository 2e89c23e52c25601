"""Exact first neighbours: the nearest other point of every embedding."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.dist import all_reduce, get_dist_info
from torch import Tensor
from torch.nn.functional import pad

from ..nearest import (
    BLOCK_ELEMENTS,
    Array,
    check_matrix,
    exact_rows,
    exact_similarities,
    row_blocks,
)
from ..progress import track
from ..ranks import together

# Rows of a block, powers of two. On a CPU the product of two blocks stays in a core's cache.
_CPU_BLOCK = 1024
_ACCELERATOR_BLOCK = 8192
# Every point keeps its best score with each group of other points; the groups of points that may
# hold its neighbour are then compared in float64.
_GROUPS = 256  # at most
_SMALLEST_GROUP = 64  # a power of two
_UNIT_ROUNDOFF = 2.0**-24  # of float32
# Whether torch.mm multiplies bfloat16 with float32 results on a GPU (torch 2.8).
_MM_WIDENS = "dtype" in torch.ops.aten.mm.overloads()


def first_neighbors(
    embeddings: Array, metric: str = "cosine", backend: str = "auto", on_all_ranks: bool = False
) -> np.ndarray:
    """Find the index of the nearest other point of every point.

    The search computes products block by block, each pair of blocks once, with O(N) memory: in
    float32, or on a CUDA GPU with each factor as the sum of two bfloat16 numbers. Points that may
    be nearest, given the rounding error of these products, are compared in float64. Ties (cosines
    that differ by less than 2**-40, distances that agree in 40 bits) go to the lowest index. The
    result therefore depends neither on the device nor on the number of ranks. A point is never its
    own neighbour; exact duplicates are neighbours of each other.

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
        found.decide(found.floor())
        return found.index.cpu().numpy()
    found = together(search_share)
    floor = found.floor()
    all_reduce(floor, "max")
    together(lambda: found.decide(floor))
    own = found.similarity.clone()
    all_reduce(found.similarity, "max")
    found.index[own < found.similarity] = len(own)
    all_reduce(found.index, "min")
    return found.index.cpu().numpy()


class _Points:
    """Points as factors of products (scores) that grow as the distance falls.

    Cosine: rows have length 1, and the score of two rows is their cosine. Euclidean: rows are
    centred, the longest gets length 1 (float32 overflows at 1e38), and the score is ``-d^2 / 2``,
    written as an inner product of rows with two more columns. Factors are computed block by block,
    without a second copy of the matrix.
    """

    def __init__(self, matrix: Tensor, metric: str) -> None:
        self.matrix = matrix
        self.metric = metric
        self.center = torch.zeros(matrix.size(1), dtype=torch.float64, device=matrix.device)
        blocks = [matrix[rows] for rows in row_blocks(*matrix.shape)]
        if metric == "euclidean":
            # Distances do not depend on the centre, but a central one keeps |x|^2 small.
            self.center = torch.stack([block.double().sum(0) for block in blocks]).sum(0)
            self.center /= len(matrix)
        self.norms = torch.cat([(block.double() - self.center).norm(dim=1) for block in blocks])
        longest = self.norms if metric == "cosine" else self.norms.amax()
        self._scale = torch.where(self.norms > 0, 1 / longest, 0.0)
        self._room = torch.empty(0)
        self._in_halves = matrix.device.type == "cuda" and _MM_WIDENS
        # Error of a score, as a multiple of (|x| + |y|)^2: accumulation in the product (Higham,
        # Accuracy and Stability of Numerical Algorithms, section 3.1), rounding of the rows, and
        # rounding of the factors.
        if self._in_halves:
            # Three products, added up with truncation; what two halves leave of a factor (2**-16 of
            # each), and the product of two low halves (2**-16).
            self._length = 3 * matrix.size(1) + 8
            self._error = 2 * self._length * _UNIT_ROUNDOFF + 2.0**-15
        else:
            self._length = matrix.size(1) + 8
            self._error = self._length * _UNIT_ROUNDOFF + _factor_rounding(matrix.device)

    def factor(self, rows: slice, right: bool) -> Tensor:
        """Compute the left or the right factor (n, E) of rows in a product."""
        centered = self.matrix[rows].double() - self.center
        factor = (centered * self._scale[rows, None]).float()
        if self.metric == "euclidean":
            half = -factor.square().sum(1, keepdim=True) / 2
            one = torch.ones_like(half)
            factor = torch.cat((factor, one, half) if right else (factor, half, one), 1)
        if not self._in_halves:
            return factor
        high = factor.bfloat16()
        low = (factor - high.float()).bfloat16()
        return torch.cat((high, low, high) if right else (high, high, low), 1)

    def scores(self, left: Tensor, right: Tensor) -> Tensor:
        """Compute the scores (n, m) float32 of factors, which the next call may overwrite."""
        if self._in_halves:
            return torch.mm(left, right.t(), out_dtype=torch.float32)
        # A CPU would otherwise get new memory from the system for every block.
        if len(self._room) < len(left) * len(right):
            self._room = left.new_empty(len(left) * len(right))
        out = self._room[: len(left) * len(right)].view(len(left), len(right))
        return torch.mm(left, right.t(), out=out)

    def slack(self, best: Tensor) -> Tensor:
        """Bound how far the score of the true nearest point may lie below the best score (N,).

        The nearest row y is at most as far as the best one found, so |y| <= |x| + d. The bound
        therefore does not depend on the longest row.
        """
        if self.metric == "cosine":
            return torch.full_like(best, 8 * self._error)
        reach = 2 * (self.norms * self._scale).float() + (-2 * best).clamp_min(0).sqrt()
        # 2.5 instead of 2, because d has an error itself and this is computed in float32.
        # Products of tiny embeddings underflow, which a relative error does not cover.
        underflow = 4 * self._length * torch.finfo(torch.float32).tiny
        return 2.5 * self._error * reach.square() + underflow


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
    """The nearest other point of every point.

    Attributes:
        width: Number of points in a group, a power of two.
        best: (groups, N) float32, the best score of each point with the points of a group.
        similarity: (N,) float64, the largest exact similarity found; -inf at first. Infinite for
            a zero row, whose neighbour is known.
        index: (N,) int64, the lowest index with that similarity; N at first.
    """

    def __init__(self, points: _Points) -> None:
        count, device = len(points.matrix), points.matrix.device
        self.points = points
        self.width = _SMALLEST_GROUP
        while self.width * _GROUPS < count:
            self.width *= 2
        groups = -(-count // self.width)
        self.best = torch.full((groups, count), -torch.inf, device=device)
        self.similarity = torch.full((count,), -torch.inf, dtype=torch.float64, device=device)
        self.index = torch.full((count,), count, device=device)
        if points.metric == "cosine":
            # All points are equally far from a zero row: the lowest other index wins the tie.
            zero = (points.norms == 0).nonzero().flatten()
            self.similarity[zero] = torch.inf
            self.index[zero] = (zero == 0).long()

    def search(self, share: int, shares: int) -> None:
        """Search one of ``shares`` shares of all pairs of points."""
        count, device = len(self.index), self.best.device
        size = _CPU_BLOCK if device.type == "cpu" else _ACCELERATOR_BLOCK
        blocks = [slice(i, min(i + size, count)) for i in range(0, count, size)]
        width = min(self.width, size)
        # Blocks form a ring. Each is multiplied by itself and by the half of the ring that
        # follows, so that all blocks have the same work.
        own = range(share, len(blocks), shares)
        for i in track(own, len(own), "Searching first neighbours"):
            left = self.points.factor(blocks[i], right=False)
            for step in range(len(blocks) // 2 + 1):
                j = (i + step) % len(blocks)
                if 2 * step == len(blocks) and i > j:
                    continue  # the ring has each pair of opposite blocks twice
                right = self.points.factor(blocks[j], right=True)
                scores = self.points.scores(left, right)
                if i == j:
                    scores.fill_diagonal_(-torch.inf)
                ragged = -scores.size(1) % width, -scores.size(0) % width
                if any(ragged):
                    scores = pad(scores, (0, ragged[0], 0, ragged[1]), value=-torch.inf)
                self._see(scores.unflatten(1, (-1, width)).amax(2).t(), blocks[i], blocks[j])
                if i != j:
                    self._see(scores.unflatten(0, (-1, width)).amax(1), blocks[j], blocks[i])

    def _see(self, best: Tensor, points: slice, others: slice) -> None:
        """Keep the best scores (G, >= n) of n points with the groups of a block, or its group."""
        first = others.start // self.width
        kept = self.best[first : first + len(best), points]
        torch.maximum(kept, best[:, : kept.size(1)], out=kept)

    def floor(self) -> Tensor:
        """Return the lowest possible score (N,) of the nearest point; infinite if it is known."""
        best = self.best.amax(0)
        return torch.where(self.similarity == torch.inf, torch.inf, best - self.points.slack(best))

    def decide(self, floor: Tensor) -> None:
        """Compare in float64 with the groups whose best score reaches the floor (N,)."""
        metric = self.points.metric
        for group, best in enumerate(self.best):
            rows = (best >= floor).nonzero().flatten()
            if not len(rows):
                continue
            start = group * self.width
            others = exact_rows(self.points.matrix[start : start + self.width], metric)
            for part in rows.split(BLOCK_ELEMENTS // self.width):
                exact = exact_rows(self.points.matrix[part], metric)
                similarity = exact_similarities(exact, others, metric)
                own = (start <= part) & (part < start + self.width)
                similarity[own.nonzero()[:, 0], part[own] - start] = -torch.inf
                # argmax returns the first of equal maxima.
                nearest = similarity.argmax(1)
                highest = similarity.gather(1, nearest[:, None])[:, 0]
                better = highest > self.similarity[part]
                self.similarity[part[better]] = highest[better]
                self.index[part[better]] = start + nearest[better]
