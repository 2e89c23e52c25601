"""Exact nearest other point of every embedding, the same from every backend."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .embeddings import Embeddings, as_matrix, unit_rows
from .search import faiss_search, resolve_backend, torch_search

# Keys looked at again in float64, the point itself among them.
_CANDIDATES = 5
_BLOCK_ELEMENTS = 1 << 22
_TIE = 1e-12


def first_neighbors(
    embeddings: Embeddings, metric: str = "cosine", backend: str = "auto"
) -> np.ndarray:
    """Index of the nearest other point of every point.

    The search runs in float32 and in blocks: memory O(N * block), never N x N. Candidates that
    float32 cannot tell apart are compared in float64, so the result does not depend on the
    backend, and ties go to the lowest index. A point is never its own neighbour; exact
    duplicates are neighbours of each other ("the second of the two nearest" could be the point
    itself).

    Args:
        embeddings: (N, D) array or tensor, N >= 2. Used in float32; with the cosine metric rows
            are normalised first. An all-zero row has cosine similarity 0 to everything.
        metric: ``'cosine'`` or ``'euclidean'``.
        backend: ``'torch'`` (runs where the tensor is), ``'faiss'`` (CPU, flat index) or
            ``'auto'``: torch for tensors on an accelerator; on a CPU faiss, which is the faster
            one there (0.6 s against 0.9 s for 10,000 x 128 on one thread), if a tiny trial search
            works, else torch.

    Returns:
        (N,) int64.

    Raises:
        ValueError: If there is one point only, a value is NaN or Inf, or an option is unknown.
        ImportError: If ``backend='faiss'`` and faiss is not installed.
    """
    points = as_matrix(embeddings, metric)
    if len(points) < 2:
        raise ValueError(
            "first_neighbors needs at least two embeddings: a single one has no neighbour."
        )
    backend = resolve_backend(backend, points.device)
    # Centring keeps |x|^2 small beside the distances; adding 0.0 turns -0.0 into 0.0.
    exact = points.double()
    exact = (unit_rows(exact) if metric == "cosine" else exact - exact.mean(0)) + 0.0

    copies = _Duplicates(exact.float().cpu().numpy())
    neighbors = copies.other_copy
    if metric == "cosine":
        # Everything is equally far from a zero row: the lowest other index wins the tie.
        zero = np.flatnonzero(~exact.any(dim=1).cpu().numpy())
        neighbors[zero] = np.where(zero == 0, 1, 0)
    alone = np.flatnonzero(neighbors < 0)
    if len(alone):
        own = torch.from_numpy(np.searchsorted(copies.firsts, alone)).to(exact.device)
        distinct = exact[torch.from_numpy(copies.firsts).to(exact.device)]
        nearest = _nearest_distinct(distinct, own, metric, backend)
        neighbors[alone] = copies.firsts[nearest.cpu().numpy()]
    return neighbors


class _Duplicates:
    """Exact duplicates among rows.

    Attributes:
        firsts: (U,) the lowest index of every distinct row, ascending.
        other_copy: (N,) the lowest index of another copy of the row, -1 where there is none.
    """

    def __init__(self, rows: np.ndarray) -> None:
        keys = (
            np.ascontiguousarray(rows)
            .view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))
            .reshape(-1)
        )
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]])
        sizes = np.diff(np.r_[starts, len(rows)])
        self.firsts = np.sort(order[starts])
        # A stable sort lists copies by index, so the first two of a group answer for all.
        self.other_copy = np.empty(len(rows), dtype=np.int64)
        self.other_copy[order] = np.repeat(np.where(sizes > 1, order[starts], -1), sizes)
        repeated = starts[sizes > 1]
        self.other_copy[order[repeated]] = order[repeated + 1]


def _nearest_distinct(points: Tensor, own: Tensor, metric: str, backend: str) -> Tensor:
    """Nearest other row for the rows ``own`` of ``points``, (U, D) float64, all different."""
    queries, keys = _as_inner_product(points.float(), metric)
    k = min(_CANDIDATES, len(keys))
    search = torch_search if backend == "torch" else faiss_search
    scores, candidates = search(queries[own], keys, k)

    # Bound of float32's error in an inner product; a row is settled if whatever is not among its
    # candidates is worse than the best one by more than that.
    error = (
        torch.finfo(torch.float32).eps
        * keys.size(1)
        * queries[own].norm(dim=1)
        * keys.norm(dim=1).max()
    )
    is_self = candidates == own[:, None]
    best = scores.masked_fill(is_self, -torch.inf).amax(1)
    settled = (scores[:, -1] < best - 2 * error) | (k == len(keys))

    nearest = torch.empty_like(own)
    for rows in settled.nonzero().flatten().split(_block(k * points.size(1))):
        distances = _distances(points[own[rows], None], points[candidates[rows]], metric)[:, 0]
        nearest[rows] = _lowest(
            distances.masked_fill(is_self[rows], torch.inf), candidates[rows], metric
        )
    everyone = torch.arange(len(points), device=own.device)
    for rows in (~settled).nonzero().flatten().split(_block(len(points))):
        distances = _distances(points[own[rows]], points, metric)
        nearest[rows] = _lowest(distances.scatter(1, own[rows, None], torch.inf), everyone, metric)
    return nearest


def _as_inner_product(points: Tensor, metric: str) -> tuple[Tensor, Tensor]:
    """Queries and keys whose inner product grows as the distance falls."""
    if metric == "cosine":
        return points, points
    half = points.square().sum(1, keepdim=True) / 2
    return torch.cat((points, torch.ones_like(half)), 1), torch.cat((points, -half), 1)


def _block(elements_per_row: int) -> int:
    return max(1, _BLOCK_ELEMENTS // elements_per_row)


def _distances(x: Tensor, y: Tensor, metric: str) -> Tensor:
    if metric == "cosine":
        return 1 - x @ y.transpose(-1, -2)
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _lowest(distances: Tensor, indices: Tensor, metric: str) -> Tensor:
    """Lowest of ``indices`` among the nearest, up to float64's rounding."""
    best = distances.amin(1, keepdim=True)
    limit = best + (_TIE if metric == "cosine" else _TIE * best)
    return torch.where(distances <= limit, indices, torch.iinfo(torch.int64).max).amin(1)
