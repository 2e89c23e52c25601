from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from slic_mmaction.clustering import merging
from slic_mmaction.clustering.merging import merge_to as merge_tensor
from slic_mmaction.clustering.quality import renumber

METRICS = ["cosine", "euclidean"]


def merge_to(labels: np.ndarray, x: np.ndarray, count: int, metric: str = "cosine") -> np.ndarray:
    return merge_tensor(labels, torch.from_numpy(x), count, metric)


def plain_merges(labels: np.ndarray, x: np.ndarray, request: int, metric: str) -> np.ndarray:
    """All distances of all means for every merge."""
    labels = renumber(labels)
    while labels.max() + 1 > request:
        means = np.stack([x[labels == c].mean(0) for c in range(labels.max() + 1)])
        distances = cdist(means, means, metric)
        distances[np.tril_indices(len(means))] = np.inf
        first, second = divmod(int(distances.argmin()), len(means))
        labels = renumber(np.where(labels == second, first, labels))
    return labels


@pytest.mark.parametrize("metric", METRICS)
@given(
    n=st.integers(1, 60), k=st.integers(1, 60), dim=st.integers(2, 5), seed=st.integers(0, 2**31)
)
@settings(deadline=None, max_examples=40)
def test_closest_pair_again_and_again(metric, n, k, dim, seed):
    rng = np.random.default_rng(seed)
    x, labels = rng.standard_normal((n, dim)), rng.integers(k, size=n)
    for request in {1, len(set(labels)), rng.integers(len(set(labels))) + 1}:
        merged = merge_to(labels, x, request, metric)
        np.testing.assert_array_equal(merged, plain_merges(labels, x, request, metric))


@given(n=st.integers(2, 30), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_ties_go_to_the_clusters_that_appear_first(n, seed):
    # Points of a small grid: many equal distances, duplicates too.
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, (n, 2)).astype(float)
    request = int(rng.integers(1, n))
    np.testing.assert_array_equal(
        merge_to(np.arange(n), x, request, "euclidean"),
        plain_merges(np.arange(n), x, request, "euclidean"),
    )


def test_a_merged_mean_may_be_nearer_than_its_parts():
    """Base 1.0, sides 1.03, height 0.9; elsewhere a pair 1.02 apart, which has to wait."""
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.9], [9.0, 9.0], [9.0, 10.02]])
    assert merge_to(np.arange(5), x, 4, "euclidean").tolist() == [0, 0, 1, 2, 3]
    assert merge_to(np.arange(5), x, 3, "euclidean").tolist() == [0, 0, 0, 1, 2]
    assert merge_to(np.arange(5), x, 2, "euclidean").tolist() == [0, 0, 0, 1, 1]


def test_a_zero_mean_has_no_direction_but_can_be_merged():
    x = np.array([[1.0, 0], [-1, 0], [0, 1], [0.1, 1]])
    assert merge_to(np.array([0, 0, 1, 2]), x, 2).tolist() == [0, 0, 1, 1]
    assert merge_to(np.array([0, 0, 1, 2]), x, 1).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("metric", METRICS)
def test_blocks_do_not_change_the_result(monkeypatch, metric):
    x = np.random.default_rng(7).standard_normal((400, 8))
    whole = merge_to(np.arange(400), x, 30, metric)
    monkeypatch.setattr(merging, "_BLOCK_ELEMENTS", 1000)
    np.testing.assert_array_equal(merge_to(np.arange(400), x, 30, metric), whole)
