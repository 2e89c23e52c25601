from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.losses import paired_distance, pairwise_distance

METRICS = ["cosine", "euclidean"]


def brute_force(x: np.ndarray, y: np.ndarray, metric: str) -> float:
    if metric == "euclidean":
        return float(np.sqrt(((x - y) ** 2).sum()))
    lengths = np.linalg.norm(x) * np.linalg.norm(y)
    return 1.0 - float(x @ y / lengths) if lengths > 0 else 1.0


@pytest.mark.parametrize("metric", METRICS)
@given(
    m=st.integers(1, 30),
    k=st.integers(1, 30),
    dim=st.integers(1, 9),
    seed=st.integers(0, 2**31),
    scale=st.sampled_from([1e-4, 1.0, 1e4]),
)
@settings(deadline=None, max_examples=25)
def test_pairwise_matches_brute_force(metric, m, k, dim, seed, scale):
    generator = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(m, dim, dtype=torch.float64, generator=generator)
    y = scale * torch.randn(k, dim, dtype=torch.float64, generator=generator)
    x[0] = 0
    expected = [[brute_force(a, b, metric) for b in y.numpy()] for a in x.numpy()]
    np.testing.assert_allclose(pairwise_distance(x, y, metric), expected, atol=1e-9 * scale + 1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_paired_is_the_diagonal_of_pairwise(metric):
    x, y = torch.randn(2, 40, 16, dtype=torch.float64)
    torch.testing.assert_close(
        paired_distance(x, y, metric), pairwise_distance(x, y, metric).diagonal()
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("distance", [pairwise_distance, paired_distance])
def test_gradient_is_bounded_at_zero_and_identical_points(distance, metric):
    x = torch.randn(5, 8)
    x[0] = 0
    x[1] = 1e-30  # squares underflow
    y = x.clone()
    x.requires_grad_()
    y.requires_grad_()
    distance(x, y, metric).sum().backward()
    for grad in (x.grad, y.grad):
        assert grad.isfinite().all()
        assert grad.abs().max() < 1e3
    if metric == "cosine":
        assert (x.grad[0] == 0).all()


def test_bad_input_is_named():
    x = torch.randn(3, 4)
    with pytest.raises(ValueError, match="'manhattan'"):
        pairwise_distance(x, x, "manhattan")
    with pytest.raises(ValueError, match=r"\(3, 5\)"):
        pairwise_distance(x, torch.randn(3, 5))
    with pytest.raises(ValueError, match=r"\(2, 4\)"):
        paired_distance(x, x[:2])
    with pytest.raises(ValueError, match=r"\(rows, D\)"):
        pairwise_distance(x[0], x)
