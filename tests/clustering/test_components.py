from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering import components
from slic_mmaction.clustering.components import Components


def brute_force(size: int, edges: np.ndarray) -> list[int]:
    lowest = list(range(size))
    for _ in range(size):
        for i, j in edges.tolist():
            lowest[i] = lowest[j] = min(lowest[i], lowest[j])
    return lowest


@pytest.mark.parametrize("portion", [1, 4, 1 << 20])
@given(size=st.integers(1, 12), count=st.integers(0, 20), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=50)
def test_components_of_edges_in_portions(portion, size, count, seed):
    edges = np.random.default_rng(seed).integers(size, size=(count, 2))
    graph = Components(size)
    before, components._PORTION = components._PORTION, portion
    try:
        for some in np.array_split(edges, 4):
            graph.join(*torch.from_numpy(some).t())
    finally:
        components._PORTION = before
    assert graph.lowest().tolist() == brute_force(size, edges)
    assert graph.lowest().tolist() == brute_force(size, edges)  # Asking changes nothing.


def test_many_equal_edges():
    graph = Components(3)
    for _ in range(2):
        graph.join(torch.zeros(256, dtype=torch.int64), torch.full((256,), 2))
    assert graph.lowest().tolist() == [0, 1, 0]


def test_ranges_known_to_be_one():
    graph = Components(6)
    graph.join(torch.tensor([2, 3, 4]), torch.tensor([3, 4, 5]))
    assert graph.lowest().tolist() == [0, 1, 2, 2, 2, 2]
    assert graph.are_one(slice(2, 4), slice(4, 6))
    assert not graph.are_one(slice(1, 4), slice(4, 6))
    assert not graph.are_one(slice(2, 3), slice(0, 1))


def test_edges_are_not_kept(monkeypatch):
    monkeypatch.setattr(components, "_PORTION", 10)
    graph = Components(10)
    i, j = torch.triu_indices(10, 10, 1)
    for _ in range(100):
        graph.join(i, j)
        assert graph._waiting == 0
