from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering.kmeans_lloyd import Clusters
from slic_mmaction.clustering.kmeans_split_merge import _pair_up, explained, split_merge


def inertia_of(x: np.ndarray, labels: np.ndarray, spherical: bool) -> float:
    total = 0.0
    for label in set(labels.tolist()):
        members = x[labels == label].astype(np.float64)
        center = members.mean(0)
        if spherical and np.abs(center).max() > 0:
            center /= np.linalg.norm(center)
        total += float(((members - center) ** 2).sum())
    return total


def random_points(n: int, dim: int, seed: int, spherical: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dim)) + 3 * rng.standard_normal((4, dim))[rng.integers(4, size=n)]
    x[rng.random(n) < 0.1] = 0
    x[rng.random(n) < 0.2] = x[0]
    if spherical:
        x /= np.linalg.norm(x, axis=1, keepdims=True).clip(1e-300)
    return x.astype(np.float32)


def improved(x: np.ndarray, labels: np.ndarray, k: int, spherical: bool, least: float) -> Clusters:
    clusters = Clusters(torch.from_numpy(x), k, spherical)
    clusters.relabel(torch.from_numpy(labels))
    better = split_merge(
        clusters.points,
        clusters.labels,
        clusters.centers(),
        clusters.sums,
        clusters.counts,
        spherical,
        least,
    )
    if better is not clusters.labels:
        clusters.relabel(better)
    return clusters


@pytest.mark.parametrize("spherical", [False, True])
@given(n=st.integers(1, 60), dim=st.integers(1, 5), k=st.integers(1, 9), seed=st.integers(0, 9999))
@settings(deadline=None, max_examples=100)
def test_the_inertia_is_known_and_never_increases(spherical, n, dim, k, seed):
    x = random_points(n, dim, seed, spherical)
    before = np.random.default_rng(seed).integers(k, size=n)  # Some clusters may be empty.
    least = 0.01
    after = improved(x, before, k, spherical, least)
    labels = after.labels.numpy()
    assert ((labels >= 0) & (labels < k)).all()
    inertia = inertia_of(x, labels, spherical)
    assert after.inertia() == pytest.approx(inertia, abs=1e-4)
    if (labels == before).all():
        assert inertia == inertia_of(x, before, spherical)
    else:
        assert inertia < inertia_of(x, before, spherical) - least + 1e-4


@pytest.mark.parametrize("spherical", [False, True])
def test_two_centers_in_one_group_and_one_between_two(spherical):
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 50)
    x = (np.eye(8)[truth] + 0.05 * rng.standard_normal((200, 8))).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    stuck = np.where(truth < 2, 0, truth)
    stuck[(truth == 2) & (x[:, 5] > 0)] = 1
    after = improved(x, stuck, 4, spherical, 0.1)
    # The same partition as the truth, numbered anyhow.
    assert len({(a, b) for a, b in zip(truth.tolist(), after.labels.tolist())}) == 4
    # And where nothing can be gained, the same labels.
    again = improved(x, after.labels.numpy(), 4, spherical, 0.1)
    assert torch.equal(again.labels, after.labels)


def test_steps_pair_the_largest_gain_with_the_lowest_cost_and_share_no_cluster():
    cost = [1.0, 1.0, 5.0, 0.5, 9.0, 9.0]
    partner = [1, 0, 3, 4, 3, 2]
    gain = [0.0, 0.0, 7.0, 0.0, 0.0, 8.0]
    assert _pair_up(cost, partner, gain, 0.0) == [(5, 3, 4), (2, 0, 1)]
    assert _pair_up(cost, partner, gain, 13.4) == [(5, 3, 4), (2, 0, 1)]
    assert _pair_up(cost, partner, gain, 13.5) == []  # All steps together bring 13.5.
    # The second step brings 6, and would have to bring more than a sixth of 36.
    assert _pair_up(cost, partner, gain, 36.0) == []


@pytest.mark.parametrize("spherical", [False, True])
def test_the_rest_of_the_sum_of_squares_is_the_inertia(spherical):
    x = random_points(50, 3, 0, spherical)
    labels = np.random.default_rng(1).integers(5, size=50)
    sums = torch.from_numpy(np.stack([x[labels == c].sum(0, dtype=np.float64) for c in range(6)]))
    counts = torch.from_numpy(np.bincount(labels, minlength=6))
    total = (x.astype(np.float64) ** 2).sum()
    rest = total - explained(sums, counts, spherical).sum().item()
    assert rest == pytest.approx(inertia_of(x, labels, spherical), rel=1e-5)
