from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.evaluation import recall, recall_at_k, top_k_neighbors

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
    monkeypatch.setattr(recall, "_BLOCK_ELEMENTS", 5 * len(GALLERY))
    parts = top_k_neighbors(QUERY.mean(1), GALLERY.mean(1), 7)
    assert torch.equal(whole[0], parts[0])
    torch.testing.assert_close(whole[1], parts[1])


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
