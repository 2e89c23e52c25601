from __future__ import annotations

import numpy as np
import pytest
import torch
from mmaction.registry import METRICS
from sklearn.neighbors import KNeighborsClassifier

from slic_mmaction.evaluation import VideoKNNMetric, knn_scores, top_k_accuracy
from slic_mmaction.nearest import nearest


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (12, 0.07), (12, 1.0), (30, 0.2)])
def test_scores_are_scikit_learns_with_these_weights(k: int, temperature: float) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 8
    train = rng.normal(size=(80, 8)) + 2 * np.eye(8)[labels]
    test = rng.normal(size=(30, 8)) + 2 * np.eye(8)[np.arange(30) % 8]
    judge = KNeighborsClassifier(
        k, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / temperature)
    ).fit(train, labels)
    near, indices = nearest(test, train, 40)
    got = knn_scores(torch.from_numpy(labels)[indices], near, 8, k, temperature)
    np.testing.assert_allclose(got / got.sum(1, keepdim=True), judge.predict_proba(test), atol=1e-9)


def test_accuracy_takes_the_lowest_of_equal_classes_and_a_tiny_temperature_stays_finite() -> None:
    scores = torch.tensor([[1.0, 1, 0], [0, 1, 1], [0, 0, 0]])
    for k, share in ((1, 1 / 3), (2, 1), (9, 1)):
        assert top_k_accuracy(scores, torch.tensor([0, 2, 1]), k) == pytest.approx(share)
    near = knn_scores(torch.tensor([[2, 0, 0]]), torch.tensor([[0.9, 0.8, 0.7]]), 3, 3, 1e-4)
    assert near.isfinite().all() and near.argmax() == 2


def test_metric_names_protocol_k_and_temperature(videos, lines) -> None:
    metric = METRICS.build(dict(type="VideoKNNMetric", ks=(5, 1, 50), temperatures=(0.5, 0.07)))
    got = metric.evaluate_features(videos(9, 0), videos(30, 1))
    assert list(got) == [
        f"knn/iic/k{k}_T{t}/top{n}" for k in (1, 5) for t in (0.07, 0.5) for n in (1, 5)
    ]
    assert got["knn/iic/k1_T0.07/top5"] == 100 and got["knn/iic/k5_T0.07/top1"] > 60
    assert lines[0] == "k = 50 is left out: the gallery has only 30 videos."
    assert lines[1].startswith("kNN (protocol iic): 9 queries in 30 gallery videos: k1_T0.07 top1 ")
    other = dict(protocol="coclr", layer="projection")
    centred = metric.evaluate_features(videos(9, 0, **other), videos(30, 1, **other))
    assert all(name.startswith("knn/coclr_projection-feature/") for name in centred)
    with pytest.raises(ValueError, match="9 videos, fewer than every k"):
        VideoKNNMetric(ks=(50,)).measure(videos(6, 0), videos(9, 1))
    with pytest.raises(ValueError, match="'iic' and 'coclr, projection feature'"):
        metric.evaluate_features(videos(9, 0), videos(30, 1, **other))
    for name, wrong in (("ks", ()), ("ks", (0,)), ("temperatures", (0.0,))):
        with pytest.raises(ValueError, match=f"needs positive {name}"):
            VideoKNNMetric(**{name: wrong})
