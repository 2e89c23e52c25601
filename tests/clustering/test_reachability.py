from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn import cluster

from slic_mmaction.clustering import reachability as module
from slic_mmaction.clustering.prepared_rows import PreparedRows
from slic_mmaction.clustering.reachability import Reachability, reachability


def brute_force(x: np.ndarray, metric: str, min_samples: int, max_eps: float) -> Reachability:
    """The paper's loop on a matrix of distances; equal but for rounding counts as equal."""
    distances = cdist(x.astype(np.float64), x.astype(np.float64), metric).round(10)
    core = np.sort(distances, axis=1)[:, min_samples - 1]
    core[core > max_eps] = np.inf
    reach, predecessor = np.full(len(x), np.inf), np.full(len(x), -1)
    ordering: list[int] = []
    while len(ordering) < len(x):
        point = min(set(range(len(x))) - set(ordering), key=lambda p: (reach[p], p))
        ordering.append(point)
        for other in set(range(len(x))) - set(ordering):
            new = max(core[point], distances[point, other])
            if distances[point, other] <= max_eps and new < reach[other]:
                reach[other], predecessor[other] = new, point
    return Reachability(np.array(ordering), reach, predecessor)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(
    n=st.integers(5, 40),
    min_samples=st.integers(2, 5),
    max_eps=st.sampled_from([0.05, 0.3, 1.0, float("inf")]),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=40)
def test_the_papers_loop(metric, n, min_samples, max_eps, seed):
    x = np.random.default_rng(seed).standard_normal((n, 3)).astype(np.float32)
    x[n // 2 :: 3] = x[: len(x[n // 2 :: 3])]  # copies
    plot = reachability(PreparedRows(torch.from_numpy(x), metric), min_samples, max_eps)
    expected = brute_force(x, metric, min_samples, max_eps)
    np.testing.assert_array_equal(plot.ordering, expected.ordering)
    np.testing.assert_array_equal(plot.predecessor, expected.predecessor)
    np.testing.assert_allclose(plot.reachability, expected.reachability, atol=1e-8)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_scikit_learns_plot(metric):
    # With more than two points to a core point, equal distances abound, and rounding decides there.
    x = np.random.default_rng(0).standard_normal((200, 3)).astype(np.float32)
    plot = reachability(PreparedRows(torch.from_numpy(x), metric), 2, np.inf)
    theirs = cluster.OPTICS(min_samples=2, metric=metric).fit(x.astype(np.float64))
    np.testing.assert_array_equal(plot.ordering, theirs.ordering_)
    np.testing.assert_array_equal(plot.predecessor, theirs.predecessor_)
    np.testing.assert_allclose(plot.reachability, theirs.reachability_, atol=1e-11)


def test_the_core_distance_ties_its_points():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((300, 8)).astype(np.float32)).repeat(2, 1)
    for metric in ("cosine", "euclidean"):
        plot = reachability(PreparedRows(x, metric), 10, np.inf)
        finite = plot.reachability[np.isfinite(plot.reachability)]
        # Nothing but rounding would be between values as near as this.
        steps = np.diff(np.unique(finite)) / finite.max()
        assert (steps > 1e-11).all() and len(steps) < 250


def test_points_out_of_reach_come_after_those_in_reach():
    x = torch.tensor([[0.0], [100], [1], [101], [2]])
    plot = reachability(PreparedRows(x, "euclidean"), 2, 5.0)
    assert plot.ordering.tolist() == [0, 2, 4, 1, 3]
    assert plot.reachability.tolist() == [np.inf, np.inf, 1, 1, 1]
    assert plot.predecessor.tolist() == [-1, -1, 0, 1, 2]


def test_core_distances_in_more_than_one_block(monkeypatch):
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    rows = PreparedRows(x, "cosine")
    whole = reachability(rows, 3, np.inf)
    monkeypatch.setattr(module, "_BLOCK_ELEMENTS", 120)
    for got, expected in zip(reachability(rows, 3, np.inf), whole):
        np.testing.assert_allclose(got, expected, atol=1e-14)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_copies_are_at_distance_zero(metric):
    x = torch.randn(50, 128, generator=torch.Generator().manual_seed(0)).repeat(2, 1)
    plot = reachability(PreparedRows(x, metric), 2, np.inf)
    assert (plot.reachability == 0).sum() == 50
