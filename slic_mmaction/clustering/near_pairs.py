"""All pairs of embeddings within a radius, block by block, decided in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..progress import track
from .prepared_rows import PreparedRows

_CPU_BLOCK = 1024  # rows; the product of two blocks stays in a core's cache
_ACCELERATOR_BLOCK = 8192
_PAIR_ELEMENTS = 1 << 21

Skip = Callable[[slice, slice], bool]


def near_pairs(
    rows: PreparedRows, radius: float, skip: Skip | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of rows no farther apart than a radius, each once.

    Blocks are multiplied in float32, and pairs too close to the radius to tell are decided in
    float64. Memory is that of one pair of blocks, however many pairs there are.

    Args:
        rows: N rows. With the cosine metric, a zero row is at distance 1 from all.
        radius: Largest distance; below 0 there are no pairs, equal rows neither. Pass
            ``np.nextafter(r, -1)`` for pairs closer than r.
        skip: Told two ranges of rows, whether their pairs are of no interest.

    Yields:
        Two (P,) int64 tensors i < j.
    """
    if radius < 0:
        return
    size = _CPU_BLOCK if rows.device.type == "cpu" else _ACCELERATOR_BLOCK
    blocks = [slice(i, min(i + size, len(rows))) for i in range(0, len(rows), size)]
    score = 1 - radius if rows.metric == "cosine" else -(radius**2) / 2
    for index, first in enumerate(track(blocks, len(blocks), "Searching near pairs")):
        left = rows.scoring(first)[0]
        for second in blocks[index:]:
            if skip is None or not skip(first, second):
                yield _near(rows, first, second, left, score, radius)


def _near(
    rows: PreparedRows, first: slice, second: slice, left: Tensor, score: float, radius: float
) -> tuple[Tensor, Tensor]:
    products = left @ rows.scoring(second)[1].t()
    if first == second:
        below = torch.ones_like(products, dtype=torch.bool).tril_()
        products.masked_fill_(below, -torch.inf)
    if rows.metric == "cosine":
        reach = torch.full_like(left[:, :1], 2.0)
    else:
        reach = (rows.norms[first] + rows.norms[second].max()).float()[:, None]
    # Twice the bound, since it is itself computed in float32.
    slack = 2 * rows.score_error * reach.square()
    i, j = (products >= score - slack).nonzero(as_tuple=True)
    sure = (products >= score + slack)[i, j]
    i, j = i + first.start, j + second.start
    maybe = (~sure).nonzero().flatten()
    if len(maybe):
        sure[maybe] = pair_distances(rows, i[maybe], j[maybe]) <= radius
        i, j = i[sure], j[sure]
    return i, j


def pair_distances(rows: PreparedRows, i: Tensor, j: Tensor) -> Tensor:
    """Distances (P,) float64 of pairs of rows."""
    distances = torch.empty(len(i), dtype=torch.float64, device=rows.device)
    step = max(1, _PAIR_ELEMENTS // rows.dim)
    for some, others, target in zip(i.split(step), j.split(step), distances.split(step)):
        x, y = rows.exact(some), rows.exact(others)
        cosine = rows.metric == "cosine"
        target.copy_((1 - (x * y).sum(1)).clamp_min_(0) if cosine else (x - y).norm(dim=1))
    return distances
