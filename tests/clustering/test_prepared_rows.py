from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering import first_neighbors, prepared_rows
from slic_mmaction.clustering.prepared_rows import PreparedRows, factor_rounding

CPU = torch.device("cpu")


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(
    n=st.integers(2, 30),
    dim=st.integers(1, 9),
    scale=st.sampled_from([1e-18, 1.0, 1e6]),
    shift=st.sampled_from([0.0, 100.0]),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=40)
def test_scores_are_within_the_promised_error(metric, n, dim, scale, shift, seed):
    generator = torch.Generator().manual_seed(seed)
    x = (torch.randn(n, dim, generator=generator) + shift) * scale
    x[0] = 0
    rows = PreparedRows(x, metric)
    everything = slice(0, n)
    scores = rows.scoring(everything)[0] @ rows.scoring(everything)[1].t()
    exact = rows.exact(everything)
    if metric == "cosine":
        expected = exact @ exact.t()
        lengths = torch.where(exact.any(1), 1.0, 0.0)
    else:
        expected = -torch.cdist(exact, exact).square() / 2
        lengths = exact.norm(dim=1)
    reach = (lengths[:, None] + lengths).square()
    underflow = (dim + 8) * torch.finfo(torch.float32).tiny
    assert ((scores - expected).abs() <= rows.score_error * reach + underflow).all()
    torch.testing.assert_close(
        rows.norms, exact.norm(dim=1) if metric != "cosine" else x.double().norm(dim=1)
    )


def test_a_subset_of_rows_is_as_if_there_were_no_others():
    x = torch.randn(10, 3)
    chosen = torch.tensor([7, 2, 5])
    for metric in ("cosine", "euclidean"):
        part, whole = PreparedRows(x, metric, chosen), PreparedRows(x[chosen], metric)
        for rows in (slice(0, 2), torch.tensor([2, 0])):
            assert torch.equal(part.exact(rows), whole.exact(rows))
            assert torch.equal(part.scoring(rows)[0], whole.scoring(rows)[0])


@pytest.mark.parametrize("bits", [8, 11])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbors_stay_exact_where_torch_may_round_factors(metric, bits, monkeypatch):
    """As with torch.backends.cuda.matmul.allow_tf32, which needs a GPU to be seen."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20, 8, generator=generator)[torch.randint(20, (400,), generator=generator)]
    x += 0.02 * torch.randn(400, 8, generator=generator)
    expected = first_neighbors(x, metric)
    real = PreparedRows.scoring

    def rounded(self, rows):
        def drop(factor):
            mantissa, exponent = torch.frexp(factor)
            return torch.ldexp((mantissa * 2**bits).round() / 2**bits, exponent)

        return tuple(drop(factor) for factor in real(self, rows))

    monkeypatch.setattr(PreparedRows, "scoring", rounded)
    wrong = first_neighbors(x, metric)
    assert (wrong != expected).any()  # unnoticed, it does matter
    monkeypatch.setattr(prepared_rows, "factor_rounding", lambda device: 2.0**-bits)
    np.testing.assert_array_equal(first_neighbors(x, metric), expected)


def test_full_products_are_recognised():
    assert factor_rounding(CPU) == 0


@pytest.mark.parametrize("bits", [8, 11])
def test_rounded_products_are_recognised(bits, monkeypatch):
    def rounded(x, y):
        return (torch.round(x.double() * 2 ** (bits - 1)) / 2 ** (bits - 1)).mm(y.double()).float()

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert factor_rounding(CPU) == 2.0**-bits
