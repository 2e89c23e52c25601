from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering import first_neighbors, neighbors

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "finch.npz")
BACKENDS = [
    "torch",
    pytest.param(
        "faiss", marks=pytest.mark.skipif(find_spec("faiss") is None, reason="faiss is optional")
    ),
]


def brute_force(x: np.ndarray, metric: str) -> list[int]:
    """Lowest index among the nearest others, one point at a time, in float64."""
    x = x.astype(np.float64)
    nearest = []
    for i, point in enumerate(x):
        if metric == "euclidean":
            distances = np.sqrt(((x - point) ** 2).sum(1))
        else:
            lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(point)
            distances = 1 - np.divide(x @ point, lengths, out=np.zeros(len(x)), where=lengths > 0)
        distances[i] = np.inf
        nearest.append(int(np.flatnonzero(distances <= distances.min() + 1e-10)[0]))
    return nearest


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["small", "medium"])
def test_neighbors_of_the_authors_code(name, backend):
    found = first_neighbors(GOLDEN[f"{name}/embeddings"].astype(np.float32), backend=backend)
    np.testing.assert_array_equal(found, GOLDEN[f"{name}/first_neighbour"])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(
    n=st.integers(2, 40),
    dim=st.integers(1, 8),
    copies=st.integers(0, 10),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=40)
def test_brute_force_with_duplicates(metric, backend, n, dim, copies, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dim)).astype(np.float32)
    x[rng.integers(n, size=copies)] = x[rng.integers(n, size=copies)]
    found = first_neighbors(x, metric, backend)
    assert found.dtype == np.int64
    assert found.tolist() == brute_force(x, metric)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(n=st.integers(2, 40), dim=st.integers(1, 3), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_brute_force_on_a_grid_full_of_ties_and_zero_rows(metric, backend, n, dim, seed):
    x = np.random.default_rng(seed).integers(-1, 2, (n, dim)).astype(np.float32)
    assert first_neighbors(x, metric, backend).tolist() == brute_force(x, metric)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_more_near_ties_than_candidates(metric, backend):
    # Twenty points closer together than float32 products can tell: float64 decides.
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 16)).astype(np.float32)
    x[:20] = x[0] + 3e-7 * rng.standard_normal((20, 16)).astype(np.float32)
    assert first_neighbors(x, metric, backend).tolist() == brute_force(x, metric)


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_points_equal(backend):
    assert first_neighbors(np.ones((5, 3)), backend=backend).tolist() == [1, 0, 0, 0, 0]
    assert first_neighbors(np.zeros((3, 3)), backend=backend).tolist() == [1, 0, 0]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_blocks_do_not_change_the_result(metric, monkeypatch):
    x = np.random.default_rng(1).standard_normal((200, 8)).astype(np.float32)
    x[100:150] = x[:50] + 1e-7
    whole = first_neighbors(x, metric, "torch")
    monkeypatch.setattr(neighbors, "_BLOCK_ELEMENTS", 1000)
    np.testing.assert_array_equal(first_neighbors(x, metric, "torch"), whole)


def test_metrics_differ_where_they_should():
    x = np.array([[1, 0], [10, 1], [1, 1.0]])
    assert first_neighbors(x, "cosine").tolist() == [1, 0, 1]
    assert first_neighbors(x, "euclidean").tolist() == [2, 2, 0]


def test_tensor_and_array_agree():
    x = torch.randn(30, 4, requires_grad=True)
    np.testing.assert_array_equal(first_neighbors(x), first_neighbors(x.detach().numpy()))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="at least two"):
        first_neighbors(np.ones((1, 3)))
    with pytest.raises(ValueError, match="row 1"):
        first_neighbors(np.array([[1, 2], [np.nan, 0]]))
