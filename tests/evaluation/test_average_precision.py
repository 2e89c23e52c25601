from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from slic_mmaction.evaluation import average_precision, average_precisions


@given(st.integers(0, 999), st.integers(1, 8), st.integers(2, 30))
@settings(deadline=None, max_examples=40)
def test_is_scikit_learns(seed: int, q: int, g: int) -> None:
    rng = np.random.default_rng(seed)
    query, gallery = rng.normal(size=(q, 6)), rng.normal(size=(g, 6))
    query_labels, gallery_labels = rng.integers(0, 3, q), rng.integers(0, 3, g)
    got = average_precisions(query, query_labels, gallery, gallery_labels).numpy()
    for row in range(q):
        hits = gallery_labels == query_labels[row]
        near = gallery @ query[row] / np.linalg.norm(gallery, axis=1)
        expected = average_precision_score(hits, near) if hits.any() else 0
        assert got[row] == pytest.approx(expected)


def test_ties_rank_by_gallery_index_and_a_missing_class_has_zero() -> None:
    gallery = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    got = average_precisions(np.array([[1.0, 0]] * 3), np.array([1, 0, 9]), gallery,
                             np.array([0, 1, 1, 0]))  # fmt: skip
    assert got.tolist() == pytest.approx([(1 / 2 + 2 / 3) / 2, (1 + 2 / 4) / 2, 0])


def test_blocks_change_nothing(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(7, 4)), rng.integers(0, 2, 7), rng.normal(size=(9, 4))
    labels = rng.integers(0, 2, 9)
    whole = average_precisions(*arrays, labels)
    monkeypatch.setattr(average_precision, "BLOCK_ELEMENTS", 8 * 9)
    assert average_precisions(*arrays, labels).tolist() == whole.tolist()


def test_labels_must_fit() -> None:
    with pytest.raises(ValueError, match=r"gallery has 3 embeddings.*\(3,\)"):
        average_precisions(np.eye(3), np.arange(3), np.eye(3), np.arange(2))
