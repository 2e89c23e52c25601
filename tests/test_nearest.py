from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction import nearest as module
from slic_mmaction.nearest import check_matrix, nearest, similarity_blocks

GOLDEN = np.load(Path(__file__).parent / "data" / "retrieval.npz")
QUERY, GALLERY = (
    GOLDEN[f"r_easy/{role}_features"].astype(np.float32).mean(1) for role in ("query", "gallery")
)


def whole(query, gallery, elements=None) -> np.ndarray:
    blocks = similarity_blocks(query, gallery, elements)
    return np.concatenate([block.numpy() for _, block in blocks])


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
    apart = [[np.linalg.norm(a - b) for b in gallery] for a in query]
    x, y = (module.exact_rows(torch.from_numpy(rows), "euclidean") for rows in (query, gallery))
    found = module.distances(module.exact_similarities(x, y, "euclidean"), "euclidean")
    np.testing.assert_allclose(found, apart, rtol=1e-11)


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
    # The cosine with a zero vector is 0.
    assert whole(np.zeros((1, 3)), np.eye(3)).tolist() == [[0, 0, 0]]


def test_nearest_is_the_authors() -> None:
    labels, gallery_labels = GOLDEN["r_easy/query_labels"], GOLDEN["r_easy/gallery_labels"]
    ks = GOLDEN["r_easy/eval_ks"].tolist()

    def shares(indices: np.ndarray, labels: np.ndarray) -> list[float]:
        hits = gallery_labels[indices] == labels[:, None]
        return [hits[:, :k].any(1).mean() for k in ks]

    indices = nearest(QUERY, GALLERY, max(ks))[1].numpy()
    expected = GOLDEN["r_easy/eval_topk_cosine"]
    np.testing.assert_allclose(shares(indices, labels), expected, atol=1e-12)

    indices = nearest(GALLERY, GALLERY, max(ks) + 1)[1].numpy()
    assert (indices[:, 0] == np.arange(len(GALLERY))).all()
    expected = GOLDEN["r_easy/eval_topk_self_cosine"]
    np.testing.assert_allclose(shares(indices[:, 1:], gallery_labels), expected, atol=1e-12)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_equals_a_plain_loop_and_ties_go_to_the_lowest_index(data) -> None:
    rows = st.lists(st.integers(-2, 2), min_size=3, max_size=3)
    gallery = np.array(data.draw(st.lists(rows, min_size=1, max_size=12)), dtype=np.float64)
    query = np.array(data.draw(st.lists(rows, min_size=1, max_size=6)), dtype=np.float64)
    k = data.draw(st.integers(1, len(gallery)))
    values, found = nearest(query, gallery, k)
    for row, q in enumerate(query):
        cosines = [q @ g / max(np.sqrt((q @ q) * (g @ g)), 1e-9) for g in gallery]
        expected = sorted(range(len(gallery)), key=lambda i: (-round(cosines[i], 9), i))[:k]
        assert found[row].tolist() == expected
        np.testing.assert_allclose(values[row], [cosines[i] for i in expected], atol=1e-11)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = nearest(QUERY, GALLERY, 7)
    for rows in (1, 5, 59):
        monkeypatch.setattr(module, "BLOCK_ELEMENTS", rows * len(GALLERY))
        for part, same in zip(nearest(QUERY, GALLERY, 7), expected):
            assert torch.equal(part, same)
    sizes = [len(block) for _, block in similarity_blocks(QUERY, GALLERY)]
    assert set(sizes[:-1]) == {59}


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="one of cosine, euclidean, but got 'manhattan'"):
        check_matrix(np.eye(2), "manhattan")
    with pytest.raises(ValueError, match=r"within 1\.\.2"):
        nearest(np.eye(2), np.eye(2), 3)
    with pytest.raises(ValueError, match="have 3 dimensions and gallery embeddings 2"):
        nearest(np.eye(3), np.eye(2), 1)
    with pytest.raises(ValueError, match="gallery embeddings must be a non-empty"):
        next(similarity_blocks(np.eye(2), np.empty((0, 2))))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"1 of 3 embeddings .* first in row 2"):
            check_matrix(np.array([[1.0], [2.0], [bad]]), "cosine")


def test_a_matrix_is_not_copied() -> None:
    rows = np.ones((3, 2), dtype=np.float16)
    assert np.shares_memory(check_matrix(rows, "cosine").numpy(), rows)
    assert check_matrix([[1, 2]], "cosine").dtype == torch.float32


def test_whatever_numpy_takes_for_an_array_of_numbers() -> None:
    table = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]  # as a data frame is
    assert nearest(table, table, 2)[1].tolist() == [[0, 1], [1, 0], [2, 1]]
    with pytest.raises(ValueError, match="query embeddings must be numbers, but are of type"):
        nearest([["a", "b"]], table, 1)
