"""Embeddings made ready for a metric block by block, so that no second copy is held."""

from __future__ import annotations

from typing import Union

import torch
from torch import Tensor

_BLOCK_ELEMENTS = 1 << 22
_UNIT_ROUNDOFF = 2.0**-24  # of float32

# Rows of a matrix: a range or an index tensor.
Index = Union[slice, Tensor]


class PreparedRows:
    """Rows whose inner product grows as their distance falls.

    Cosine: rows of length 1, zero rows stay zero; the score of two rows is their cosine.
    Euclidean: rows about their mean, and the score is ``-d^2 / 2``, written as one inner product
    of rows with two more columns, so that it is symmetric.

    Args:
        matrix: (N, D) of any float dtype, on any device, memory-mapped or not.
        metric: ``'cosine'`` or ``'euclidean'``.
        subset: (U,) int64 rows of ``matrix`` that count; None takes all.

    Attributes:
        norms: (U,) float64 lengths of the rows, of the centred ones for the Euclidean metric.
    """

    def __init__(self, matrix: Tensor, metric: str, subset: Tensor | None = None) -> None:
        self.matrix = matrix
        self.metric = metric
        self.subset = subset
        self.dim = matrix.size(1)
        self.device = matrix.device
        self._center = torch.zeros(self.dim, dtype=torch.float64, device=self.device)
        if metric == "euclidean":
            # Any centre would do: distances do not change, and |x|^2 stays small beside them.
            for rows in self.blocks():
                self._center += self._source(rows).double().sum(0)
            self._center = (self._center / len(self)).float().double()
        self.norms = torch.empty(len(self), dtype=torch.float64, device=self.device)
        for rows in self.blocks():
            self.norms[rows] = (self._source(rows).double() - self._center).norm(dim=1)
        if metric == "cosine":
            self._scale = torch.where(self.norms > 0, 1 / self.norms, 0.0)
        # Error of a float32 score, as a multiple of (|x| + |y|)^2: the products' accumulation
        # (Higham, Accuracy and Stability of Numerical Algorithms, sec. 3.1), the rows' own
        # rounding, and what torch may be allowed to round its factors to.
        self.score_error = (self.dim + 8) * _UNIT_ROUNDOFF + factor_rounding(self.device)

    def __len__(self) -> int:
        return len(self.matrix) if self.subset is None else len(self.subset)

    def blocks(self, elements_per_row: int | None = None) -> list[slice]:
        """Ranges that cover all rows, of bounded size."""
        step = max(1, _BLOCK_ELEMENTS // (elements_per_row or self.dim))
        return [slice(start, min(start + step, len(self))) for start in range(0, len(self), step)]

    def scoring(self, rows: Index) -> tuple[Tensor, Tensor]:
        """Float32 factors (n, E) and (n, E) of rows, to stand left and right in a product.

        ``scoring(a)[0] @ scoring(b)[1].t()`` holds the scores of ``a`` with ``b``.
        """
        source = self._source(rows)
        if self.metric == "cosine":
            unit = source * self._scale[rows].float()[:, None]
            return unit, unit
        centred = source - self._center.float()
        half = centred.square().sum(1, keepdim=True) / 2
        one = torch.ones_like(half)
        return torch.cat((centred, -half, one), 1), torch.cat((centred, one, -half), 1)

    def exact(self, rows: Index) -> Tensor:
        """Rows (n, D) in float64: of length 1 or zero (cosine), centred (Euclidean)."""
        centred = self._source(rows).double() - self._center
        if self.metric == "cosine":
            centred *= self._scale[rows][:, None]
        return centred + 0.0  # -0.0 becomes 0.0

    def slack(self, rows: Index, best: Tensor) -> Tensor:
        """How far below the best score (n,) found for rows the true best one may have come out.

        A nearest row y is at most as far as the best one found, so |y| <= |x| + d; the bound
        then does not depend on the longest row of all.
        """
        norms = self.norms[rows].float()
        if self.metric == "cosine":
            return torch.full_like(best, 8 * self.score_error)
        reach = 2 * norms + (-2 * best).clamp_min(0).sqrt()
        # 2.5 instead of 2: d is itself known with an error, and float32 computes this.
        # Products of tiny embeddings underflow, which no relative error covers.
        underflow = 4 * (self.dim + 8) * torch.finfo(torch.float32).tiny
        return 2.5 * self.score_error * reach.square() + underflow

    def _source(self, rows: Index) -> Tensor:
        chosen = rows if self.subset is None else self.subset[rows]
        return self.matrix[chosen].float()


def factor_rounding(device: torch.device) -> float:
    """Relative rounding of the factors of a float32 product on this device.

    0 unless torch may use TF32 or bfloat16 for them (``torch.set_float32_matmul_precision`` and
    ``torch.backends``), which many training scripts allow. Tried instead of asked: there are
    several settings, and what they mean depends on the device.
    """
    one = torch.zeros(256, 256, device=device)
    one[:, 0] = 1
    for bits in (8, 11):  # of bfloat16 and of TF32
        # One bit more than the format has, which it must drop.
        if not bool(((one * (1 + 2.0**-bits) @ one.t()) == 1 + 2.0**-bits).all()):
            return 2.0**-bits
    return 0.0
