from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.evaluation import recall_at_k, similarity, top_k_neighbors

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "retrieval.npz")
QUERY, GALLERY = (
    GOLDEN[f"r_easy/{role}_features"].astype(np.float32) for role in ("query", "gallery")
)
QUERY_LABELS, GALLERY_LABELS = GOLDEN["r_easy/query_labels"], GOLDEN["r_easy/gallery_labels"]


def test_iic_protocol_is_the_authors() -> None:
    """Plain mean of the clips, then cosine."""
    ks = GOLDEN["r_easy/ks"].tolist()
    got = recall_at_k(QUERY.mean(1), QUERY_LABELS, GALLERY.mean(1), GALLERY_LABELS, ks)
    np.testing.assert_allclose([got[k] for k in ks], GOLDEN["r_easy/recall"], atol=1e-12)
    correct = [round(got[k] * len(QUERY)) for k in ks]
    assert correct == GOLDEN["r_easy/correct"].tolist()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_top_k_is_the_authors(metric: str) -> None:
    ks = GOLDEN["r_easy/eval_ks"].tolist()
    query, gallery = torch.from_numpy(QUERY.mean(1)), torch.from_numpy(GALLERY.mean(1))

    def shares(indices: np.ndarray, labels: np.ndarray) -> list[float]:
        hits = GALLERY_LABELS[indices] == labels[:, None]
        return [hits[:, :k].any(1).mean() for k in ks]

    indices = top_k_neighbors(query, gallery, max(ks), metric)[0].numpy()
    expected = GOLDEN[f"r_easy/eval_topk_{metric}"]
    np.testing.assert_allclose(shares(indices, QUERY_LABELS), expected, atol=1e-12)

    indices = top_k_neighbors(gallery, gallery, max(ks) + 1, metric)[0].numpy()
    assert (indices[:, 0] == np.arange(len(gallery))).all()
    expected = GOLDEN[f"r_easy/eval_topk_self_{metric}"]
    np.testing.assert_allclose(shares(indices[:, 1:], GALLERY_LABELS), expected, atol=1e-12)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_equals_a_plain_loop_and_ties_go_to_the_lowest_index(data) -> None:
    rows = st.lists(st.integers(-2, 2), min_size=3, max_size=3)
    gallery = np.array(data.draw(st.lists(rows, min_size=1, max_size=12)), dtype=np.float64)
    query = np.array(data.draw(st.lists(rows, min_size=1, max_size=6)), dtype=np.float64)
    k = data.draw(st.integers(1, len(gallery)))
    found, values = top_k_neighbors(query, gallery, k, "euclidean")
    for row, q in enumerate(query):
        distances = [np.sqrt(((q - g) ** 2).sum()) for g in gallery]
        expected = sorted(range(len(gallery)), key=lambda i: (round(distances[i], 9), i))[:k]
        assert found[row].tolist() == expected
        np.testing.assert_allclose(-values[row].numpy(), [distances[i] for i in expected])


def test_blocks_change_nothing(monkeypatch) -> None:
    whole = top_k_neighbors(QUERY.mean(1), GALLERY.mean(1), 7)
    for rows in (1, 5, 59):
        monkeypatch.setattr(similarity, "BLOCK_ELEMENTS", rows * len(GALLERY))
        parts = top_k_neighbors(QUERY.mean(1), GALLERY.mean(1), 7)
        assert torch.equal(whole[0], parts[0]) and torch.equal(whole[1], parts[1])


@given(st.integers(0, 99), st.integers(1, 30), st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_copies_in_the_gallery_come_in_their_order(seed: int, k: int, rows: int) -> None:
    """Ties at and before the k-th neighbour, in blocks of any size."""
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(10, 6)).astype(np.float32)[rng.integers(0, 10, 30)]
    query = rng.normal(size=(5, 6)).astype(np.float32)
    found = np.concatenate(
        [top_k_neighbors(query[i : i + rows], gallery, k)[0] for i in range(0, 5, rows)]
    )
    unit = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    for row, q in enumerate(query / np.linalg.norm(query, axis=1, keepdims=True)):
        # In float32 copies are equal to the last bit, and others are far enough apart.
        near = [round(float(np.sum(q.astype(float) * g.astype(float))), 6) for g in unit]
        assert found[row].tolist() == sorted(range(30), key=lambda i: (-near[i], i))[:k]


def test_coclr_centres_queries_and_gallery_each_by_its_own_mean() -> None:
    query, gallery = QUERY.mean(1) + 3, GALLERY.mean(1) - 5
    ks = [1, 5, 20]
    got = recall_at_k(query, QUERY_LABELS, gallery, GALLERY_LABELS, ks, protocol="coclr")
    query, gallery = query - query.mean(0), gallery - gallery.mean(0)
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    order = np.argsort(-query.astype(float) @ gallery.T.astype(float), axis=1, kind="stable")
    hits = GALLERY_LABELS[order] == QUERY_LABELS[:, None]
    assert got == {k: hits[:, :k].any(1).mean() for k in ks}
    plain = recall_at_k(QUERY.mean(1) + 3, QUERY_LABELS, GALLERY.mean(1) - 5, GALLERY_LABELS, ks)
    assert plain != got


def test_every_query_counts() -> None:
    gallery, query = np.eye(3), np.eye(3)[[0, 1, 2, 0]]
    got = recall_at_k(query, np.array([0, 1, 9, 1]), gallery, np.array([0, 1, 2]), [1, 2])
    assert got == {1: 0.5, 2: 0.75}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(ks=[]), "at least one k"),
        (dict(ks=[0]), r"within 1\.\.3"),
        (dict(ks=[4]), r"within 1\.\.3"),
        (dict(query_labels=np.array([0])), r"labels must have the shape \(2,\)"),
        (dict(query=np.zeros((2, 5))), "have 5 dimensions and gallery embeddings 3"),
        (dict(query=np.full((2, 3), np.nan)), "2 of 2 query embeddings are not finite"),
        (dict(query=np.zeros((2, 4, 3))), "average the clips"),
    ],
)
def test_bad_input_is_named(change: dict, message: str) -> None:
    good = dict(
        query=np.eye(3)[:2],
        query_labels=np.array([0, 1]),
        gallery=np.eye(3),
        gallery_labels=np.array([0, 1, 2]),
        ks=[1],
    )
    with pytest.raises(ValueError, match=message):
        recall_at_k(**{**good, **change})
