from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slic_mmaction.evaluation import recall_at_k

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
