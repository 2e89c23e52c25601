from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering import kmeans_passes
from slic_mmaction.clustering.kmeans_passes import (
    assign,
    center_offset,
    cluster_sums,
    own_distances,
)


@pytest.fixture(autouse=True)
def _tiny_blocks(monkeypatch):
    monkeypatch.setitem(kmeans_passes._BLOCK_ELEMENTS, "cpu", 1)
    monkeypatch.setattr(kmeans_passes, "_LEAST_ROWS", 7)


def test_the_first_of_equal_largest():
    products = torch.tensor([[1.0, 3, 3], [2, 2, 2], [-5, -5, -6]])
    assert kmeans_passes.largest(products).tolist() == [1, 0, 0]


@given(
    n=st.integers(1, 40),
    k=st.integers(1, 8),
    seed=st.integers(0, 999),
    still=st.integers(0, 8),
    gone=st.booleans(),
)
@settings(deadline=None, max_examples=100)
def test_assigning_after_some_centers_moved_equals_a_full_search(n, k, seed, still, gone):
    rng = np.random.default_rng(seed)
    # Small integers: products are exact, and ties are frequent.
    points = torch.from_numpy(rng.integers(-2, 3, (n, 2))).float()
    centers = torch.from_numpy(rng.integers(-2, 3, (k, 2))).float()
    moved = torch.ones(k, dtype=torch.bool)
    labels, scores = torch.zeros(n, dtype=torch.int64), torch.empty(n)
    for _ in range(3):
        offset = center_offset(centers)
        if gone and k > 1:
            offset[0] = -torch.inf
        assign(points, centers, offset, moved, labels, scores)
        products = points @ centers.t() + offset
        np.testing.assert_array_equal(labels, products.numpy().argmax(1))
        np.testing.assert_array_equal(scores, products.max(1).values)
        moved = torch.from_numpy(rng.permutation(k) >= still)
        moved[0] |= gone
        fresh = torch.from_numpy(rng.integers(-2, 3, (k, 2))).float()
        centers = torch.where(moved[:, None], fresh, centers)


def test_a_distance_from_the_own_center_does_not_cancel():
    points = torch.tensor([[1000.0, 0], [1000.001, 0], [0, 3]])
    centers = torch.tensor([[0.0, 0], [1000, 0]])
    squares = own_distances(points, centers, torch.tensor([1, 1, 0]))
    np.testing.assert_allclose(squares, [0, (points[1, 0].item() - 1000) ** 2, 9], rtol=1e-6)


@pytest.mark.parametrize("add", [kmeans_passes._add, kmeans_passes._add_sorted])
@given(n=st.integers(0, 30), k=st.integers(1, 6), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=25)
def test_sums_by_cluster(add, n, k, seed):
    rng = np.random.default_rng(seed)
    points, own = rng.standard_normal((n, 3)), rng.integers(k, size=n)
    expected = np.stack([points[own == c].sum(0) for c in range(k)])
    sums = torch.zeros(k, 3, dtype=torch.float64)
    add(sums, torch.from_numpy(points), torch.from_numpy(own))
    np.testing.assert_allclose(sums, expected, atol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_sums_of_some_points_in_more_than_one_block(count):
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.standard_normal((6000, 3)).astype(np.float32))
    rows = torch.from_numpy(rng.permutation(6000)[:count])
    own = torch.from_numpy(rng.integers(4, size=count))
    sums, counts = cluster_sums(points, rows, own, 5)
    exact = points[rows].double()
    np.testing.assert_allclose(
        sums, torch.stack([exact[own == c].sum(0) for c in range(5)]), atol=1e-10
    )
    assert counts.tolist() == [int((own == c).sum()) for c in range(5)]
