from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from slic_mmaction.evaluation import average_precisions, recall, recall_at_k
from slic_mmaction.evaluation.recall import per_class_table

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


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_every_query_counts_and_labels_are_a_list_an_array_or_a_tensor(kind) -> None:
    gallery, query = np.eye(3), np.eye(3)[[0, 1, 2, 0]]
    query_labels, gallery_labels = kind([0, 1, 9, 1]), kind([0, 1, 2])
    got = recall_at_k(query, query_labels, gallery, gallery_labels, [1, 2])
    assert got == {1: 0.5, 2: 0.75}
    precisions = average_precisions(query, query_labels, gallery, gallery_labels)
    assert precisions.tolist() == [1, 1, 0, 0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(ks=[]), "at least one k"),
        (dict(ks=[0]), r"within 1\.\.3"),
        (dict(ks=[4]), r"within 1\.\.3"),
        (dict(query_labels=np.array([0])), r"labels need the shape \(2,\)"),
        (dict(query=np.zeros((2, 5))), "have 5 dimensions and gallery embeddings 3"),
        (dict(query=np.full((2, 3), np.nan)), "2 of 2 query embeddings have NaN"),
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


@given(st.integers(0, 999), st.integers(1, 8), st.integers(2, 30))
@settings(deadline=None, max_examples=30)
def test_average_precision_is_scikit_learns_in_any_blocks(seed: int, q: int, g: int) -> None:
    rng = np.random.default_rng(seed)
    query, gallery = rng.normal(size=(q, 6)), rng.normal(size=(g, 6))
    query_labels, gallery_labels = rng.integers(0, 3, q), rng.integers(0, 3, g)
    got = average_precisions(query, query_labels, gallery, gallery_labels).tolist()
    for row in range(q):
        hits = gallery_labels == query_labels[row]
        near = gallery @ query[row] / np.linalg.norm(gallery, axis=1)
        expected = average_precision_score(hits, near) if hits.any() else 0
        assert got[row] == pytest.approx(expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recall, "BLOCK_ELEMENTS", 8 * g)
        assert average_precisions(query, query_labels, gallery, gallery_labels).tolist() == got


def test_average_precision_ranks_ties_by_index_and_a_missing_class_has_zero() -> None:
    gallery = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    query = np.array([[1.0, 0]] * 3)
    got = average_precisions(query, np.array([1, 0, 9]), gallery, np.array([0, 1, 1, 0]))
    assert got.tolist() == pytest.approx([(1 / 2 + 2 / 3) / 2, (1 + 2 / 4) / 2, 0])
    with pytest.raises(ValueError, match=r"gallery has 3 embeddings.*\(3,\)"):
        average_precisions(np.eye(3), np.arange(3), np.eye(3), np.arange(2))


def test_classes_weighted_by_their_queries_give_the_recall() -> None:
    hits = np.array([[1, 0], [0, 0], [0, 1], [0, 0], [0, 1]], dtype=bool)
    labels = np.array([4, 4, 7, 0, 7])
    table = per_class_table(hits, labels, list("abcde"), [1, 2])
    for k in (1, 2):
        mean = sum(row["queries"] * row[f"R@{k}"] for row in table) / len(labels)
        assert mean == pytest.approx(100 * hits[:, :k].any(1).mean())
    assert [row["label"] for row in table] == [0, 7, 4]
    assert table[1] == {"label": 7, "example": "c", "queries": 2, "R@1": 0, "R@2": 100}
