from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from slic_mmaction.clustering import kmeans_seeding
from slic_mmaction.clustering.kmeans_seeding import initial_centers, refill_empty


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def k_means_plus_plus_probability(points: np.ndarray, draws: tuple[int, ...]) -> float:
    """Probability of these draws in this order, by the definition."""
    probability = 1 / len(points)
    for count in range(1, len(draws)):
        gaps = points[:, None] - points[list(draws[:count])]
        weights = (gaps**2).sum(-1).min(1)
        probability *= weights[draws[count]] / weights.sum()
    return probability


def test_draws_have_the_probabilities_of_k_means_plus_plus():
    points = np.array([[0.0, 0], [1, 0], [0, 2], [3, 1]])
    source = generator()
    tensor = torch.from_numpy(points).float()
    runs = 6000
    drawn = Counter(tuple(kmeans_seeding._plus_plus(tensor, 3, source)) for _ in range(runs))
    every = [draws for draws in np.ndindex(4, 4, 4) if len(set(draws)) == 3]
    expected = {draws: k_means_plus_plus_probability(points, draws) for draws in every}
    assert sum(expected.values()) == pytest.approx(1)
    assert set(drawn) <= set(every)
    # Chi-square with 23 degrees of freedom: a mean of 23 and a standard deviation of 7.
    chi_square = sum((drawn[d] - runs * p) ** 2 / (runs * p) for d, p in expected.items())
    assert chi_square < 23 + 4 * 7


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_centers_are_distinct_rows(init):
    points = torch.randn(3000, 3, generator=generator())
    centers = initial_centers(points, 2500, init, generator())  # More than in one batch.
    assert centers.shape == (2500, 3)
    assert len(torch.cat([points, centers]).unique(dim=0)) == 3000
    assert len(centers.unique(dim=0)) == 2500


@pytest.mark.parametrize("far", [0.0, 1000.0])
def test_equal_rows_give_one_center(far):
    distinct = torch.randn(7, 5, generator=generator()) + far
    points = distinct.repeat_interleave(torch.tensor([200, 1, 2, 3, 4, 5, 6]), dim=0)
    centers = initial_centers(points, 30, "k-means++", generator())
    assert torch.equal(centers, distinct.unique(dim=0))
    assert len(initial_centers(torch.zeros(4, 2), 3, "k-means++", generator())) == 1
    assert len(initial_centers(torch.zeros(4, 2), 3, "random", generator())) == 1


def test_weights_are_squared_distances_from_the_nearest_center():
    points = torch.randn(400, 6, generator=generator())
    points[7], points[11] = points[3], points[5] + 1e-4
    weights = torch.full((400,), torch.inf)
    squares = points.square().sum(1)
    for centers in (points[:2], points[2:4], points[4:6]):
        kmeans_seeding._lower_weights(points, squares, centers, weights)
    exact = torch.cdist(points.double(), points[:6].double()).square().min(1).values
    np.testing.assert_allclose(weights, exact, rtol=1e-3, atol=1e-30)
    assert weights[7] == 0 and 0 < weights[11] < 1e-6


def test_refill_takes_the_farthest_but_no_last_member_and_no_copy():
    points = torch.tensor([[0.0], [1.0], [7.0], [7.0], [3.0], [99.0]])
    labels = torch.tensor([0, 0, 0, 0, 0, 2])
    distances = torch.tensor([0.0, 1.0, 49.0, 49.0, 9.0, 1000.0])
    refilled = refill_empty(points, labels, distances, 4, 1e-9)
    assert refilled.tolist() == [0, 0, 1, 0, 3, 2]
    # With six clusters wanted, the point on its centre founds none.
    assert refill_empty(points, labels, distances, 6, 1e-9).tolist() == [0, 4, 1, 0, 3, 2]
    assert labels.tolist() == [0, 0, 0, 0, 0, 2]
