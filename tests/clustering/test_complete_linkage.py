from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from slic_mmaction.clustering.complete_linkage import (
    BYTES_PER_PAIR,
    TooManyPairs,
    complete_linkage,
)
from slic_mmaction.clustering.embeddings import renumber
from slic_mmaction.clustering.prepared_rows import PreparedRows


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(
    n=st.integers(2, 60),
    dim=st.integers(1, 6),
    share=st.floats(0, 1.1),
    seed=st.integers(0, 9999),
)
@settings(deadline=None, max_examples=100)
def test_scipys_clusters(metric, n, dim, share, seed):
    dim += metric == "cosine"
    x = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    distances = pdist(x.astype(np.float64), metric)
    threshold = share * distances.max()
    rows = PreparedRows(torch.from_numpy(x), metric)
    found = complete_linkage(rows, threshold, 1 << 30)
    expected = fcluster(linkage(distances, "complete"), threshold - 1e-12, "distance")
    np.testing.assert_array_equal(renumber(found), renumber(expected))
    np.testing.assert_array_equal(found[found], found)


def test_memory_is_for_near_pairs_only():
    x = torch.tensor([[0.0], [1], [10], [11], [12.5]])
    rows = PreparedRows(x, "euclidean")
    # Three pairs are nearer than 2.5, and 10 and 12.5 are not.
    assert complete_linkage(rows, 2.5, 3 * BYTES_PER_PAIR).tolist() == [0, 0, 2, 2, 4]
    with pytest.raises(TooManyPairs):
        complete_linkage(rows, 2.5, 3 * BYTES_PER_PAIR - 1)
    assert complete_linkage(rows, 2.6, 4 * BYTES_PER_PAIR).tolist() == [0, 0, 2, 2, 2]
