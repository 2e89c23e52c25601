from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from slic_mmaction.clustering import near_pairs as module
from slic_mmaction.clustering.near_pairs import near_pairs, pair_distances
from slic_mmaction.clustering.prepared_rows import PreparedRows


@pytest.fixture(autouse=True)
def _tiny_blocks(monkeypatch):
    monkeypatch.setattr(module, "_CPU_BLOCK", 7)
    monkeypatch.setattr(module, "_PAIR_ELEMENTS", 16)


def pairs_of(x: np.ndarray, metric: str, radius: float) -> list[tuple[int, int]]:
    found = list(near_pairs(PreparedRows(torch.from_numpy(x), metric), radius))
    return [pair for i, j in found for pair in zip(i.tolist(), j.tolist())]


def expected_pairs(distances: np.ndarray, radius: float) -> list[tuple[int, int]]:
    near = np.triu(distances <= radius, k=1)
    return [(int(i), int(j)) for i, j in zip(*near.nonzero())]


@given(n=st.integers(1, 40), seed=st.integers(0, 999), squared=st.integers(0, 9))
@settings(deadline=None, max_examples=100)
def test_pairs_at_the_very_radius_belong(n, seed, squared):
    # Distances of points of a grid, far off the origin, are exact.
    x = (np.random.default_rng(seed).integers(-2, 3, (n, 2)) + 4096).astype(np.float32)
    radius = float(np.sqrt(squared))
    distances = cdist(x.astype(np.float64), x.astype(np.float64))
    found = pairs_of(x, "euclidean", radius)
    assert sorted(found) == expected_pairs(distances, radius)
    assert sorted(pairs_of(x, "euclidean", float(np.nextafter(radius, -1)))) == expected_pairs(
        np.where(distances == radius, np.inf, distances), radius
    )


@given(
    n=st.integers(1, 40),
    dim=st.integers(2, 6),
    radius=st.floats(-0.1, 2.1),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=100)
def test_cosine_pairs(n, dim, radius, seed):
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((n, dim)) * 10 ** rng.uniform(-9, 9, (n, 1))).astype(np.float32)
    distances = cdist(x.astype(np.float64), x.astype(np.float64), "cosine")
    assert sorted(pairs_of(x, "cosine", radius)) == expected_pairs(distances, radius)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_pairs_that_float32_cannot_tell_from_the_radius(metric):
    rng = np.random.default_rng(0)
    x = (100 + 1e-3 * rng.standard_normal((60, 16))).astype(np.float32)
    exact = x.astype(np.float64)
    distances = cdist(exact, exact, metric)
    radius = float(np.median(distances))
    assert sorted(pairs_of(x, metric, radius)) == expected_pairs(distances, radius)


def test_zero_rows_are_at_distance_one_and_copies_at_zero():
    x = np.array([[0, 0], [0, 0], [1, 2], [1, 2], [-2, 1]], dtype=np.float32)
    assert pairs_of(x, "cosine", 0.9) == [(2, 3)]
    assert len(pairs_of(x, "cosine", 1.0)) == 10
    assert pairs_of(x, "euclidean", 0.0) == [(0, 1), (2, 3)]
    assert pairs_of(x, "euclidean", float(np.nextafter(0, -1))) == []


def test_blocks_are_left_out_on_request():
    x = torch.zeros(20, 3)
    asked = []

    def skip(first: slice, second: slice) -> bool:
        asked.append((first.start, second.start))
        return second.start == 14

    found = list(near_pairs(PreparedRows(x, "euclidean"), 1.0, skip))
    assert asked == [(0, 0), (0, 7), (0, 14), (7, 7), (7, 14), (14, 14)]
    assert sum(len(i) for i, _ in found) == 14 * 13 // 2
    assert all((i < j).all() and (j < 14).all() for i, j in found)


def test_distances_of_pairs():
    x = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
    i, j = torch.arange(29), torch.arange(1, 30)
    for metric in ("cosine", "euclidean"):
        expected = cdist(x.double().numpy(), x.double().numpy(), metric)[i, j]
        found = pair_distances(PreparedRows(x, metric), i, j)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    copies = pair_distances(PreparedRows(x.repeat(2, 1), "cosine"), i, i + 30)
    assert (copies >= 0).all()
