from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering.duplicates import find_duplicates
from slic_mmaction.clustering.prepared_rows import PreparedRows


@given(n=st.integers(1, 30), dim=st.integers(1, 3), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=100)
def test_brute_force(n, dim, seed):
    x = np.random.default_rng(seed).integers(0, 2, (n, dim)).astype(np.float32)
    firsts, other_copy = find_duplicates(PreparedRows(torch.from_numpy(x), "euclidean"))
    same = (x[:, None] == x[None]).all(2)
    assert firsts.tolist() == sorted({int(row.argmax()) for row in same})
    np.fill_diagonal(same, False)
    assert other_copy.tolist() == [int(row.argmax()) if row.any() else -1 for row in same]


def test_directions_are_compared_for_the_cosine_metric():
    x = torch.tensor([[1.0, 2.0], [2.0, 4.0], [-0.0, 0.0], [0.0, 0.0], [3.0, 1.0]])
    firsts, other_copy = find_duplicates(PreparedRows(x, "cosine"))
    assert firsts.tolist() == [0, 2, 4]
    assert other_copy.tolist() == [1, 0, 3, 2, -1]


def test_equal_hashes_of_different_rows_are_no_copies(monkeypatch):
    x = torch.arange(12.0).view(6, 2)
    x[4] = x[1]
    rows = PreparedRows(x, "euclidean")

    class Zeros:
        def integers(self, high, size, dtype):
            return np.zeros(size, dtype)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Zeros())
    # All factors are 1, so rows with an equal sum of bits collide.
    rows.matrix[2] = rows.matrix[1].flip(0)
    firsts, other_copy = find_duplicates(PreparedRows(rows.matrix, "euclidean"))
    found = {i: int(j) for i, j in enumerate(other_copy) if j >= 0}
    assert found in ({}, {1: 4, 4: 1})
    assert 2 in firsts
