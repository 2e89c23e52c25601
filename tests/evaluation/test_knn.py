from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import METRICS
from sklearn.neighbors import KNeighborsClassifier

from slic_mmaction.evaluation import (
    EmbeddedVideos,
    OneEmbeddingEach,
    SeenAs,
    VideoKNNMetric,
    knn_scores,
    top_k_accuracy,
)
from slic_mmaction.nearest import nearest


@given(st.integers(0, 999), st.integers(1, 6), st.sampled_from([0.01, 0.07, 1.0]))
@settings(deadline=None, max_examples=40)
def test_scores_are_a_plain_loop(seed: int, k: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (5, 6))
    near = -np.sort(-rng.uniform(-1, 1, (5, 6)), axis=1)
    got = knn_scores(torch.from_numpy(labels), torch.from_numpy(near), 4, k, temperature)
    for row in range(5):
        votes = [0.0] * 4
        for j in range(k):
            votes[labels[row, j]] += math.exp(near[row, j] / temperature)
        np.testing.assert_allclose(got[row] / got[row].sum(), np.array(votes) / sum(votes))


def test_is_scikit_learns_with_these_weights() -> None:
    rng = np.random.default_rng(0)
    train = rng.normal(size=(80, 8)) + 2 * np.eye(8)[np.arange(80) % 8]
    labels = np.arange(80) % 8
    test = rng.normal(size=(30, 8)) + 2 * np.eye(8)[np.arange(30) % 8]
    judge = KNeighborsClassifier(
        12, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / 0.07)
    ).fit(train, labels)
    near, indices = nearest(test, train, 12)
    got = knn_scores(torch.from_numpy(labels)[indices], near, 8, 12, 0.07)
    np.testing.assert_allclose(got / got.sum(1, keepdim=True), judge.predict_proba(test), atol=1e-9)


def test_a_tiny_temperature_is_the_nearest_neighbour_and_stays_finite() -> None:
    labels, near = torch.tensor([[2, 0, 0]]), torch.tensor([[0.9, 0.8, 0.7]])
    scores = knn_scores(labels, near, 3, 3, 1e-4)
    assert scores.isfinite().all() and scores.argmax() == 2


def test_accuracy_takes_the_lowest_of_equal_classes() -> None:
    scores = torch.tensor([[1.0, 1, 0], [0, 1, 1], [0, 0, 0]])
    assert top_k_accuracy(scores, torch.tensor([0, 2, 1]), 1) == pytest.approx(1 / 3)
    assert top_k_accuracy(scores, torch.tensor([0, 2, 1]), 2) == 1
    assert top_k_accuracy(scores, torch.tensor([0, 2, 1]), 9) == 1


def videos(count: int, seed: int) -> EmbeddedVideos:
    labels = np.arange(count) % 3
    noise = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
    rows = torch.eye(3, 4)[torch.from_numpy(labels)] + 0.4 * noise
    return EmbeddedVideos(np.arange(count).astype(str), labels, OneEmbeddingEach(rows))


def test_metric_names_protocol_k_and_temperature() -> None:
    metric = METRICS.build(dict(type="VideoKNNMetric", ks=(5, 1), temperatures=(0.5, 0.07)))
    got = metric.evaluate_videos(videos(9, 0), videos(30, 1), SeenAs("iic", "projection"))
    assert list(got) == [
        f"knn/iic/k{k}_T{t}/top{n}" for k in (1, 5) for t in (0.07, 0.5) for n in (1, 5)
    ]
    assert got["knn/iic/k1_T0.07/top5"] == 100 and got["knn/iic/k5_T0.07/top1"] > 60
    centred = metric.evaluate_videos(videos(9, 0), videos(30, 1), SeenAs("coclr", "backbone"))
    assert all(name.startswith("knn/coclr/") for name in centred)


def test_k_beyond_the_gallery(monkeypatch) -> None:
    lines = []
    monkeypatch.setattr(
        "slic_mmaction.evaluation.gallery_metric.print_log", lambda line, **_: lines.append(line)
    )
    got = VideoKNNMetric(ks=(3, 50)).measure(
        videos(6, 0), videos(9, 1), SeenAs("iic", "projection")
    )
    assert set(got) == {"iic/k3_T0.07/top1", "iic/k3_T0.07/top5"}
    assert lines == ["k = 50 left out: the gallery has only 9 videos."]
    with pytest.raises(ValueError, match="9 videos, fewer than every k"):
        VideoKNNMetric(ks=(50,)).measure(videos(6, 0), videos(9, 1), SeenAs("iic", "projection"))


@pytest.mark.parametrize("wrong", [dict(ks=()), dict(ks=(0,)), dict(temperatures=(0.0,))])
def test_bad_settings_are_named(wrong: dict) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} are positive"):
        VideoKNNMetric(**wrong)
