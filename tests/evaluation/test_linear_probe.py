from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import nn

from slic_mmaction.evaluation import FeatureSet
from slic_mmaction.evaluation.linear_probe import LabelledClips, validation_cut, video_groups


def labelled(counts: list[int], dim: int, num_classes: int, seed: int = 0) -> LabelledClips:
    rows = torch.randn(sum(counts), dim, generator=torch.Generator().manual_seed(seed)).numpy()
    return of(rows, counts, np.arange(len(counts)) % num_classes)


def of(rows: np.ndarray, counts: list[int], labels: np.ndarray) -> LabelledClips:
    names = [str(i) for i in range(len(counts))]
    return LabelledClips.of(
        FeatureSet.in_memory(names, rows, counts, "backbone", "iic", None, labels)
    )


@pytest.mark.parametrize("counts", [[1] * 23, [1, 2, 5, 1, 4, 2] * 3])
def test_each_classifier_goes_the_way_of_torchs_sgd(counts: list[int]) -> None:
    videos = labelled(counts, 5, 3)
    sweep = [(0.5, 0.1), (2.0, 0.0), (2.0, 0.01)]
    weights, biases = videos.train(3, sweep, epochs=4, batch_size=7, seed=3)
    for s, (lr, decay) in enumerate(sweep):
        layer = nn.Linear(5, 3)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        optimizer = torch.optim.SGD(layer.parameters(), lr, momentum=0.9, weight_decay=decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)
        rng = np.random.default_rng(3)
        for _ in range(4):
            drawn = rng.integers(videos.begins[:-1], videos.begins[1:])
            order = rng.permutation(len(counts))
            for start in range(0, len(order), 7):
                batch = order[start : start + 7]
                optimizer.zero_grad()
                scores = layer(videos.clips[drawn[batch]])
                nn.functional.cross_entropy(scores, videos.labels[batch]).backward()
                optimizer.step()
            schedule.step()
        torch.testing.assert_close(weights[s], layer.weight.T, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(biases[s], layer.bias, atol=1e-5, rtol=1e-4)
    again, other = (videos.train(3, sweep, 4, 7, seed=seed)[0] for seed in (3, 4))
    assert torch.equal(again, weights) and not torch.equal(other, weights)


def test_converges_to_scikit_learns_logistic_regression() -> None:
    """Mean cross-entropy + w/2 |W|^2 is its objective with C = 1 / (N w), the bias included."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 4
    rows = np.eye(4, 9)[labels] + 0.7 * rng.normal(size=(120, 9))
    videos = of(rows.astype(np.float32), [1] * 120, labels)
    decays = (0.1, 0.01, 0.001)
    weights, biases = videos.train(4, [(1.0, decay) for decay in decays], 800, 120, 0)
    with_constant = np.hstack([videos.clips, np.ones((120, 1))])
    for weight, bias, decay in zip(weights, biases, decays):
        judge = LogisticRegression(C=1 / (120 * decay), fit_intercept=False, tol=1e-10,
                                   max_iter=5000).fit(with_constant, labels)  # fmt: skip
        ours = videos.probabilities(weight, bias)
        np.testing.assert_allclose(ours, judge.predict_proba(with_constant), atol=2e-3)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_probabilities_of_a_video_are_the_mean_of_its_clips(counts: list[int], seed: int) -> None:
    videos = labelled(counts, 3, 2, seed)
    weights = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))
    bias = torch.arange(4.0)
    got = videos.probabilities(weights, bias)
    for i in range(len(counts)):
        own = videos.clips[videos.begins[i] : videos.begins[i + 1]]
        torch.testing.assert_close(got[i], (own @ weights + bias).softmax(dim=1).mean(dim=0))
    odd = np.arange(len(counts)) % 2 == 1
    if odd.any():
        torch.testing.assert_close(videos.part(odd).probabilities(weights, bias), got[odd])


def test_videos_without_a_group_are_their_own_or_named() -> None:
    """The patterns themselves are tested with the configs that hold them."""
    assert video_groups(["a/v_g01.avi", "v_g02.avi"], None).tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"does not match the video other\.avi"):
        video_groups(["a/v_g01.avi", "other.avi"], r"v_g\d+")


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_no_group_is_split_and_every_class_keeps_one(data) -> None:
    groups = np.array(data.draw(st.lists(st.integers(0, 12), min_size=4, max_size=40)))
    labels = groups % data.draw(st.integers(1, 4))
    share = data.draw(st.floats(0.05, 0.95))
    sizes = [len(np.unique(groups[labels == c])) for c in np.unique(labels)]
    if max(sizes) < 2:
        with pytest.raises(ValueError, match="has two groups"):
            validation_cut(labels, groups, share, seed=0)
        return
    cut = validation_cut(labels, groups, share, seed=0)
    assert not set(groups[cut]) & set(groups[~cut])
    assert set(labels) == set(labels[~cut])
    for label, size in zip(np.unique(labels), sizes):
        drawn = len(np.unique(groups[cut & (labels == label)]))
        assert drawn == min(size - 1, max(1, round(share * size)))
    cuts = [validation_cut(labels, groups, share, seed).tobytes() for seed in (0, 0)]
    assert cuts == [cut.tobytes()] * 2
