from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.hooks import spread
from slic_mmaction.hooks.spread import spread_of


@given(st.integers(2, 30), st.integers(1, 9), st.floats(0, 20), st.integers(0, 99))
@settings(deadline=None, max_examples=50)
def test_against_all_pairs_and_singular_values(
    count: int, width: int, offset: float, seed: int
) -> None:
    rows = np.random.default_rng(seed).normal(size=(count, width)) + offset
    rows[count // 2] = 0  # has no direction
    units = np.delete(rows, count // 2, axis=0)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    found = spread_of(torch.from_numpy(rows))
    if count == 2:
        assert found is None
        return
    cosines = [float(a @ b) for i, a in enumerate(units) for b in units[:i]]
    assert found.mean_cosine == pytest.approx(np.mean(cosines), abs=1e-9)
    shares = np.linalg.svd(units - units.mean(0), compute_uv=False) ** 2
    if shares.sum() > 1e-9:
        shares = shares[shares > 0] / shares.sum()
        expected = math.exp(-(shares * np.log(shares)).sum())
        assert found.effective_rank == pytest.approx(expected, abs=1e-6)


def test_length_and_rotation_do_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(40, 6, generator=generator, dtype=torch.float64) + 1
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64))[0]
    lengths = torch.logspace(-3, 3, 40, dtype=torch.float64)[:, None]
    assert spread_of(lengths * rows @ turn) == pytest.approx(spread_of(rows))


def test_rounding_is_no_spread() -> None:
    row = torch.randn(1, 128)
    assert spread_of(row.repeat(50, 1) * torch.linspace(0.5, 2, 50)[:, None]).effective_rank == 0


def test_nothing_to_compare() -> None:
    assert spread_of(torch.zeros(5, 3)) is None and spread_of(torch.ones(1, 3)) is None


def test_a_sample_is_evenly_spread_over_many(monkeypatch) -> None:
    monkeypatch.setattr(spread, "_SAMPLE", 10)
    rows = torch.eye(2).repeat_interleave(50, 0)  # half and half
    assert spread_of(rows).mean_cosine == pytest.approx((2 * 5 * 4) / (10 * 9))
