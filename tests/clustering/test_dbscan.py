from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import cluster

from slic_mmaction.clustering import near_pairs
from slic_mmaction.clustering.dbscan import dbscan
from slic_mmaction.clustering.embeddings import renumber
from slic_mmaction.clustering.prepared_rows import PreparedRows


def same_clusters(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(found == -1, expected == -1)
    member = found != -1
    np.testing.assert_array_equal(renumber(found[member]), renumber(expected[member]))


@pytest.mark.parametrize("min_samples", [1, 2, 3, 5])
@given(n=st.integers(1, 60), eps=st.sampled_from([0.5, 1.0, 1.5, 2.0]), seed=st.integers(0, 9999))
@settings(deadline=None, max_examples=50)
def test_scikit_learns_clusters_where_points_tie(min_samples, n, eps, seed):
    # On a grid, many points border on several clusters.
    x = np.random.default_rng(seed).integers(-4, 5, (n, 2)).astype(np.float32)
    before, near_pairs._CPU_BLOCK = near_pairs._CPU_BLOCK, 7
    try:
        found = dbscan(PreparedRows(torch.from_numpy(x), "euclidean"), eps, min_samples)
    finally:
        near_pairs._CPU_BLOCK = before
    expected = cluster.DBSCAN(eps=eps, min_samples=min_samples).fit_predict(x.astype(np.float64))
    same_clusters(found, expected)


@pytest.mark.parametrize("min_samples", [2, 4])
@pytest.mark.parametrize("eps", [0.01, 0.05, 0.14, 0.5])
def test_scikit_learns_clusters_by_cosine(min_samples, eps):
    x = np.random.default_rng(0).standard_normal((400, 4)).astype(np.float32)
    theirs = cluster.DBSCAN(eps=eps, min_samples=min_samples, metric="cosine")
    found = dbscan(PreparedRows(torch.from_numpy(x), "cosine"), eps, min_samples)
    same_clusters(found, theirs.fit_predict(x.astype(np.float64)))


@pytest.mark.parametrize("min_samples", [2, 5])
def test_embeddings_that_are_all_near_cost_no_more(min_samples, monkeypatch):
    products = []
    near = near_pairs._near
    monkeypatch.setattr(near_pairs, "_near", lambda *a: products.append(1) or near(*a))
    monkeypatch.setattr(near_pairs, "_CPU_BLOCK", 50)
    x = torch.ones(2000, 3)
    # The edges of the first blocks join all when they are worked out, at 2000 edges.
    monkeypatch.setattr("slic_mmaction.clustering.components._PORTION", 2000)
    labels = dbscan(PreparedRows(x, "cosine"), 0.1, min_samples)
    assert (labels == 0).all()
    assert len(products) < 2 * 40 + 2  # Of 820 pairs of blocks.
