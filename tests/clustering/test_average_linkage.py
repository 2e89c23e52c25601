from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from slic_mmaction.clustering import average_linkage as module
from slic_mmaction.clustering.average_linkage import average_linkage
from slic_mmaction.clustering.embeddings import renumber
from slic_mmaction.clustering.prepared_rows import PreparedRows


def clusters(x: np.ndarray, threshold: float) -> np.ndarray:
    return average_linkage(PreparedRows(torch.from_numpy(x), "cosine"), threshold)


def from_scipy(x: np.ndarray, threshold: float) -> np.ndarray:
    tree = linkage(x.astype(np.float64), "average", metric="cosine")
    return renumber(fcluster(tree, np.nextafter(threshold, 0), "distance"))


@given(
    n=st.integers(2, 60),
    dim=st.integers(2, 6),
    threshold=st.floats(0.001, 1.9),
    offset=st.floats(0, 3),
    seed=st.integers(0, 9999),
)
@settings(deadline=None, max_examples=150)
def test_scipys_clusters(n, dim, threshold, offset, seed):
    x = (np.random.default_rng(seed).standard_normal((n, dim)) + offset).astype(np.float32)
    found = clusters(x, threshold)
    np.testing.assert_array_equal(renumber(found), from_scipy(x, threshold))
    np.testing.assert_array_equal(found[found], found)
    assert (found <= np.arange(n)).all()


def test_in_more_than_one_block(monkeypatch):
    x = np.random.default_rng(0).standard_normal((300, 4)).astype(np.float32)
    monkeypatch.setattr(module, "_BLOCK_ELEMENTS", 1)
    monkeypatch.setattr(module, "_LEAST_ROWS", 7)
    np.testing.assert_array_equal(renumber(clusters(x, 0.24)), from_scipy(x, 0.24))


@pytest.mark.parametrize("sides", [3, 4, 5, 12])
def test_equal_distances_end(sides):
    angles = 2 * np.pi * np.arange(sides) / sides
    x = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    assert clusters(x, 3.0).tolist() == [0] * sides
    assert clusters(x, 1e-3).tolist() == list(range(sides))


def test_a_circle_of_equally_near_clusters_is_broken(monkeypatch):
    nearest = module._Means.nearest
    answers = [(torch.tensor([1, 2, 0]), torch.full((3,), 0.5, dtype=torch.float64))]

    def first_a_circle(self, search, live):
        return answers.pop() if answers else nearest(self, search, live)

    monkeypatch.setattr(module._Means, "nearest", first_a_circle)
    x = np.eye(3, dtype=np.float32) + 0.5
    assert clusters(x, 0.9).tolist() == [0, 0, 0]
    assert not answers


def test_embeddings_that_rounding_alone_tells_apart_end():
    x = 1 + 1e-7 * np.random.default_rng(0).standard_normal((400, 8))
    assert clusters(x.astype(np.float32), 0.24).tolist() == [0] * 400


def test_copies_are_together_and_zero_rows_alone():
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    x = np.concatenate([np.zeros((2, 3), np.float32), x, 2 * x, np.zeros((1, 3), np.float32)])
    expected = [0, 1, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6, 12]
    assert clusters(x, 1e-9).tolist() == expected
    assert clusters(x, 0.0).tolist() == list(range(13))
    assert len(set(clusters(x, 1.001)[[0, 1, 12]].tolist())) == 1  # They are at distance 1.
