from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering import links
from slic_mmaction.clustering.links import components, weighted_links
from slic_mmaction.clustering.quality import renumber


def dense_links(points, neighbors, metric):
    """Distance times weight from the N x N adjacency of the paper."""
    n = len(points)
    f = np.zeros((n, n))
    f[np.arange(n), neighbors] = 1
    adjacency = (f + np.eye(n)) @ (f + np.eye(n)).T
    np.fill_diagonal(adjacency, 0)
    if metric == "cosine":
        points = points / np.linalg.norm(points, axis=1, keepdims=True)
        distances = 1 - points @ points.T
    else:
        distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return adjacency, distances * adjacency


def flood(adjacent: np.ndarray) -> list[int]:
    labels = -np.ones(len(adjacent), dtype=int)
    for start in range(len(adjacent)):
        stack = [start] if labels[start] < 0 else []
        while stack:
            point = stack.pop()
            if labels[point] < 0:
                labels[point] = start
                stack.extend(np.flatnonzero(adjacent[point]))
    return renumber(labels).tolist()


def random_graph(n, seed, hubs):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    targets = rng.integers(min(n, hubs), size=n)
    index = np.arange(n)
    return points, np.where(targets == index, (index + 1) % n, targets)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("block", [4, 1 << 20])
@given(n=st.integers(2, 25), seed=st.integers(0, 2**31), hubs=st.integers(1, 25))
@settings(deadline=None, max_examples=30)
def test_links_and_components_match_the_dense_adjacency(metric, block, n, seed, hubs):
    points, neighbors = random_graph(n, seed, hubs)
    rows = torch.from_numpy(points)
    adjacency, weighted = dense_links(points, neighbors, metric)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(links, "_BLOCK_ELEMENTS", block)
        found = np.full((n, n), np.nan)
        for i, j, length in weighted_links(rows, neighbors, metric):
            assert np.isnan(found[i, j]).all() and np.isnan(found[j, i]).all()
            found[i, j] = found[j, i] = length
        limit = np.median(weighted[adjacency > 0]) + 1e-9
        kept = components(rows, neighbors, metric, limit)
    np.testing.assert_array_equal(~np.isnan(found), adjacency > 0)
    np.testing.assert_allclose(found[adjacency > 0], weighted[adjacency > 0], atol=1e-12)
    assert kept.tolist() == flood((adjacency > 0) & (weighted <= limit))
    assert components(rows, neighbors, metric).tolist() == flood(adjacency > 0)


def test_a_hub_is_handed_out_in_bounded_blocks():
    n = 3000
    rows = torch.randn(n, 2)
    neighbors = np.zeros(n, dtype=np.int64)
    neighbors[0] = 1
    sizes = [len(i) for i, _, _ in weighted_links(rows, neighbors, "euclidean")]
    # Everyone but 0 points to 0: n - 1 links to it and all pairs among the rest.
    assert sum(sizes) == n - 1 + (n - 1) * (n - 2) // 2
    assert max(sizes) <= links._BLOCK_ELEMENTS
