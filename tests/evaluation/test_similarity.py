from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.evaluation import similarity as module
from slic_mmaction.evaluation.similarity import similarity_blocks


def whole(query, gallery, metric="cosine", elements=None) -> np.ndarray:
    return np.concatenate(
        [block.numpy() for _, block in similarity_blocks(query, gallery, metric, elements)]
    )


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_blocks_cover_all_queries_and_stay_small(q: int, g: int, elements: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, gallery = rng.normal(size=(q, 5)), rng.normal(size=(g, 5))
    seen = []
    for part, block in similarity_blocks(query, gallery, elements=elements):
        assert block.shape == (part.stop - part.start, g)
        assert block.numel() <= max(elements, g)
        seen += range(part.start, part.stop)
    assert seen == list(range(q))
    expected = [[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in gallery] for a in query]
    np.testing.assert_allclose(whole(query, gallery, elements=elements), expected, atol=1e-11)
    distances = [[-np.linalg.norm(a - b) for b in gallery] for a in query]
    np.testing.assert_allclose(whole(query, gallery, "euclidean"), distances, atol=1e-11)


def test_equal_videos_are_equally_near_in_every_block() -> None:
    """A copy of a gallery video anywhere, whatever the shape of the product."""
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(301, 77)).astype(np.float32)
    gallery[[40, 150, 299]] = gallery[3]
    query = rng.normal(size=(23, 77)).astype(np.float32)
    expected = whole(query, gallery)
    for elements in (1, 301 * 2, 301 * 7, 301 * 22):
        got = whole(query, gallery, elements=elements)
        np.testing.assert_array_equal(got, expected)
        for copy in (40, 150, 299):
            np.testing.assert_array_equal(got[:, 3], got[:, copy])


def test_cosine_with_a_zero_vector_is_zero() -> None:
    assert whole(np.zeros((1, 3)), np.eye(3)).tolist() == [[0, 0, 0]]


def test_unknown_metric() -> None:
    with pytest.raises(ValueError, match="The metric is one of"):
        next(similarity_blocks(torch.ones(1, 2), torch.ones(1, 2), "manhattan"))


def test_the_default_block_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 6)
    sizes = [len(block) for _, block in similarity_blocks(np.eye(5, 3), np.eye(3))]
    assert sizes == [2, 2, 1]
