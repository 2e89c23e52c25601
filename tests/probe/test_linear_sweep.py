from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import nn

from slic_mmaction.probe import SweepSettings, train_linear_sweep, video_probabilities


def clips_of(counts: list[int], dim: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    rows = torch.randn(sum(counts), dim, generator=torch.Generator().manual_seed(seed))
    return nn.functional.normalize(rows, dim=1), np.concatenate([[0], np.cumsum(counts)])


@pytest.mark.parametrize("counts", [[1] * 23, [3] * 23, [1, 2, 5, 1, 4, 2] * 3])
def test_each_classifier_goes_the_way_of_torchs_sgd(counts: list[int]) -> None:
    clips, begins = clips_of(counts, 5, 0)
    labels = torch.arange(len(counts)) % 3
    sweep = SweepSettings((0.5, 2.0, 2.0), (0.1, 0.0, 0.01), epochs=4, batch_size=7, seed=3)
    weights, biases = train_linear_sweep(clips, begins, labels, 3, sweep)
    for s in range(3):
        layer = nn.Linear(5, 3)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        optimizer = torch.optim.SGD(
            layer.parameters(), sweep.lrs[s], momentum=0.9, weight_decay=sweep.weight_decays[s]
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, sweep.epochs)
        rng = np.random.default_rng(3)
        for _ in range(sweep.epochs):
            seen = rng.integers(begins[:-1], begins[1:])
            order = rng.permutation(len(counts))
            for start in range(0, len(order), 7):
                batch = order[start : start + 7]
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(layer(clips[seen[batch]]), labels[batch])
                loss.backward()
                optimizer.step()
            schedule.step()
        torch.testing.assert_close(weights[s], layer.weight.T, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(biases[s], layer.bias, atol=1e-5, rtol=1e-4)


def test_converges_to_scikit_learns_logistic_regression() -> None:
    """Mean cross-entropy + w/2 |W|^2 is its objective with C = 1 / (N w), the bias included."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 4
    rows = np.eye(4, 9)[labels] + 0.7 * rng.normal(size=(120, 9))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    decays = (0.1, 0.01, 0.001)
    sweep = SweepSettings((1.0,) * 3, decays, epochs=800, batch_size=120)
    weights, biases = train_linear_sweep(
        torch.from_numpy(rows), np.arange(121), torch.from_numpy(labels), 4, sweep
    )
    with_constant = np.hstack([rows, np.ones((120, 1))])
    for weight, bias, decay in zip(weights, biases, decays):
        judge = LogisticRegression(C=1 / (120 * decay), fit_intercept=False, tol=1e-10,
                                   max_iter=5000).fit(with_constant, labels)  # fmt: skip
        ours = (torch.from_numpy(rows) @ weight + bias).softmax(dim=1).numpy()
        np.testing.assert_allclose(ours, judge.predict_proba(with_constant), atol=2e-3)


def test_is_a_function_of_its_seed() -> None:
    clips, begins = clips_of([4] * 12, 6, 1)
    labels = torch.arange(12) % 2

    def weights(seed: int) -> torch.Tensor:
        sweep = SweepSettings((1.0,), (0.0,), epochs=2, batch_size=5, seed=seed)
        return train_linear_sweep(clips, begins, labels, 2, sweep)[0]

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_probabilities_of_a_video_are_the_mean_of_its_clips(counts: list[int], seed: int) -> None:
    clips, begins = clips_of(counts, 3, seed)
    weights = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))
    bias = torch.arange(4.0)
    got = video_probabilities(clips, begins, weights, bias)
    for i in range(len(counts)):
        own = (clips[begins[i] : begins[i + 1]] @ weights + bias).softmax(dim=1)
        torch.testing.assert_close(got[i], own.mean(dim=0))
