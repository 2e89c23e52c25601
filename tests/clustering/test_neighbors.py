from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering import faiss_search, first_neighbors, settle, tile_search

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "finch.npz")
NO_FAISS = pytest.mark.skipif(find_spec("faiss") is None, reason="faiss is optional")
# Metric, backend and precision that go together.
SEARCHES = [
    ("cosine", "torch", "float32"),
    ("cosine", "torch", "bfloat16"),
    ("euclidean", "torch", "float32"),
    pytest.param("cosine", "faiss", "float32", marks=NO_FAISS),
    pytest.param("euclidean", "faiss", "float32", marks=NO_FAISS),
]
searches = pytest.mark.parametrize("metric, backend, precision", SEARCHES)


@pytest.fixture(scope="module", autouse=True)
def small_tiles():
    """Tiles and blocks so small that forty points fill several, the last of them in part."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (tile_search, settle, faiss_search):
            patch.setattr(module, "TILE", 3)
        patch.setattr(tile_search, "_CPU_BLOCK", 6)
        yield


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


@pytest.mark.parametrize(
    "backend, precision",
    [("torch", "float32"), ("torch", "bfloat16"), pytest.param("faiss", "auto", marks=NO_FAISS)],
)
@pytest.mark.parametrize("name", ["small", "medium"])
def test_neighbors_of_the_authors_code(name, backend, precision):
    embeddings = GOLDEN[f"{name}/embeddings"].astype(np.float32)
    found = first_neighbors(embeddings, backend=backend, precision=precision)
    np.testing.assert_array_equal(found, GOLDEN[f"{name}/first_neighbour"])


@searches
@given(
    n=st.integers(2, 40),
    dim=st.integers(1, 8),
    copies=st.integers(0, 10),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=40)
def test_brute_force_with_duplicates(metric, backend, precision, n, dim, copies, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dim)).astype(np.float32)
    x[rng.integers(n, size=copies)] = x[rng.integers(n, size=copies)]
    found = first_neighbors(x, metric, backend, precision)
    assert found.dtype == np.int64
    assert found.tolist() == brute_force(x, metric)


@searches
@given(n=st.integers(2, 40), dim=st.integers(1, 3), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_brute_force_on_a_grid_of_ties_and_zero_rows(metric, backend, precision, n, dim, seed):
    x = np.random.default_rng(seed).integers(-1, 2, (n, dim)).astype(np.float32)
    assert first_neighbors(x, metric, backend, precision).tolist() == brute_force(x, metric)


@searches
def test_more_near_ties_than_candidates(metric, backend, precision):
    # Forty points closer together than float32 products can tell: float64 decides.
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 16)).astype(np.float32)
    x[::3] = x[0] + 3e-7 * rng.standard_normal((40, 16)).astype(np.float32)
    assert first_neighbors(x, metric, backend, precision).tolist() == brute_force(x, metric)


@searches
def test_a_far_row_does_not_blur_the_others(metric, backend, precision):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 4)).astype(np.float32)
    x[17] *= 1e6
    assert first_neighbors(x, metric, backend, precision).tolist() == brute_force(x, metric)


@searches
def test_points_far_from_the_origin(metric, backend, precision):
    x = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32) + 1000
    assert first_neighbors(x, metric, backend, precision).tolist() == brute_force(x, metric)


@searches
def test_points_that_all_point_away_from_each_other(metric, backend, precision):
    # All cosines are negative: bfloat16's short cut for maxima does not hold.
    x = 3 * np.eye(4, dtype=np.float32) - 1
    assert first_neighbors(x, metric, backend, precision).tolist() == brute_force(x, metric)


@searches
def test_all_points_equal(metric, backend, precision):
    found = first_neighbors(np.ones((5, 3)), metric, backend, precision)
    assert found.tolist() == [1, 0, 0, 0, 0]
    assert first_neighbors(np.zeros((3, 3)), metric, backend, precision).tolist() == [1, 0, 0]


@searches
def test_blocks_do_not_change_the_result(metric, backend, precision, monkeypatch):
    x = np.random.default_rng(1).standard_normal((700, 8)).astype(np.float32)
    x[100:150] = x[:50] + 1e-7
    small = first_neighbors(x, metric, backend, precision)
    for module in (tile_search, settle, faiss_search):
        monkeypatch.setattr(module, "TILE", 256)
    monkeypatch.setattr(tile_search, "_CPU_BLOCK", 1024)
    whole = first_neighbors(x, metric, backend, precision)
    np.testing.assert_array_equal(small, whole)
    assert whole.tolist() == brute_force(x, metric)


def test_metrics_differ_where_they_should():
    x = np.array([[1, 0], [10, 1], [1, 1.0]])
    assert first_neighbors(x, "cosine").tolist() == [1, 0, 1]
    assert first_neighbors(x, "euclidean").tolist() == [2, 2, 0]


def test_tensor_array_half_precision_and_mapped_file_agree(tmp_path):
    x = torch.randn(30, 4).half()
    np.save(tmp_path / "x.npy", x.numpy())
    expected = first_neighbors(x.float().requires_grad_())
    for mode in ("r", "r+", None):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = first_neighbors(np.load(tmp_path / "x.npy", mmap_mode=mode))
        np.testing.assert_array_equal(found, expected)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="at least two"):
        first_neighbors(np.ones((1, 3)))
    with pytest.raises(ValueError, match="row 1"):
        first_neighbors(np.array([[1, 2], [np.nan, 0]]))
    with pytest.raises(ValueError, match="'annoy'"):
        first_neighbors(np.ones((3, 3)), backend="annoy")
    with pytest.raises(ValueError, match="metric='cosine'"):
        first_neighbors(np.ones((3, 3)), "euclidean", precision="bfloat16")
