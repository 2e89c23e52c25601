from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TASK_UTILS
from sklearn import cluster

from slic_mmaction.clustering import KMeans, SphericalKMeans, kmeans
from slic_mmaction.clustering.embeddings import renumber
from slic_mmaction.clustering.kmeans_seeding import initial_centers, refill_empty

# The package's name `kmeans` is the function.
MODULE = sys.modules["slic_mmaction.clustering.kmeans"]


def unit(x: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0)


def means_of(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.stack([x[labels == k].mean(0) for k in range(labels.max() + 1)])


def inertia_of(x: np.ndarray, labels: np.ndarray, spherical: bool = False) -> float:
    x = x.astype(np.float64)
    if spherical:
        x = unit(x)
    means = means_of(x, labels)
    return float(((x - (unit(means) if spherical else means)[labels]) ** 2).sum())


def blobs(n: int, dim: int, count: int, spread: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = 5 * rng.standard_normal((count, dim))
    noise = spread * rng.standard_normal((n, dim))
    return (centers[rng.integers(count, size=n)] + noise).astype(np.float32)


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("init", ["k-means++", "random"])
@given(n=st.integers(1, 50), dim=st.integers(2, 6), k=st.integers(1, 8), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=25)
def test_every_point_is_with_the_nearest_mean(init, spherical, n, dim, k, seed):
    k = min(k, n)
    x = np.random.default_rng(seed).standard_normal((n, dim))
    labels = kmeans(x, k, spherical, init, seed=seed)
    assert labels.shape == (n,) and labels.dtype == np.int64
    assert sorted(set(labels.tolist())) == list(range(k))
    np.testing.assert_array_equal(labels, renumber(labels))
    points = unit(x) if spherical else x
    means = means_of(points, labels)
    if spherical:
        cosines = points @ unit(means).T
        assert (cosines[np.arange(n), labels] >= cosines.max(1) - 1e-5).all()
    else:
        squares = ((points[:, None] - means) ** 2).sum(-1)
        assert (squares[np.arange(n), labels] <= squares.min(1) + 1e-5).all()


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_inertia_never_increases(init, spherical):
    x = np.random.default_rng(0).standard_normal((500, 6))
    inertias = [
        inertia_of(x, kmeans(x, 20, spherical, init, max_iterations=i), spherical)
        for i in range(1, 30)
    ]
    assert (np.diff(inertias) <= 1e-4).all()
    assert inertias[-1] < 0.95 * inertias[0]


def test_a_fixed_point_ends_the_iteration(monkeypatch):
    calls = []
    nearest = MODULE._nearest
    monkeypatch.setattr(MODULE, "_nearest", lambda *a: calls.append(1) or nearest(*a))
    x = blobs(300, 8, 5, 0.1)
    short = kmeans(x, 5, max_iterations=100)
    assert 2 <= len(calls) < 20
    calls.clear()
    kmeans(x, 5, max_iterations=1)
    assert len(calls) == 1
    np.testing.assert_array_equal(short, kmeans(x, 5, max_iterations=1000))


@pytest.mark.parametrize(("count", "spread"), [(10, 0.5), (6, 2.0)])
def test_inertia_of_scikit_learn(count, spread):
    x = blobs(800, 5, count, spread)
    ours = inertia_of(x, kmeans(x, count, num_restarts=10))
    theirs = cluster.KMeans(count, n_init=10, random_state=0).fit(x).inertia_
    assert ours == pytest.approx(theirs, rel=0.01)


def test_scikit_learn_from_the_same_centers():
    x = blobs(400, 6, 8, 3.0)
    points = x - x.mean(0, dtype=np.float64).astype(np.float32)
    start = initial_centers(
        torch.from_numpy(points), 8, "k-means++", torch.Generator().manual_seed(3)
    )
    theirs = cluster.KMeans(8, init=start.numpy(), n_init=1, tol=0).fit(points)
    np.testing.assert_array_equal(kmeans(x, 8, seed=3), renumber(theirs.labels_))


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_a_seed_fixes_the_labels(init, spherical):
    x = np.random.default_rng(1).standard_normal((300, 4))
    torch.manual_seed(0)
    first = kmeans(x, 12, spherical, init, seed=5)
    state = torch.get_rng_state()
    np.testing.assert_array_equal(kmeans(x, 12, spherical, init, seed=5), first)
    assert torch.equal(torch.get_rng_state(), state)  # global draws are left alone
    assert (kmeans(x, 12, spherical, init, seed=6) != first).any()


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_more_restarts_are_never_worse(init):
    x = blobs(300, 3, 20, 0.5)
    inertias = [inertia_of(x, kmeans(x, 20, init=init, num_restarts=r)) for r in range(1, 13)]
    assert (np.diff(inertias) <= 1e-3).all()
    assert inertias[-1] < 0.99 * inertias[0]


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_duplicates_stay_together(init, spherical):
    rng = np.random.default_rng(0)
    distinct = rng.standard_normal((7, 5)).astype(np.float32)
    which = np.r_[np.zeros(200, dtype=int), np.arange(7), np.arange(7)]
    labels = kmeans(distinct[which], 7, spherical, init)
    np.testing.assert_array_equal(labels, renumber(which))
    # Only seven different points: no more clusters than that, and no endless search for them.
    np.testing.assert_array_equal(kmeans(distinct[which], 30, spherical, init), labels)
    # Almost surely all random starts are copies of one row: six of seven start empty.
    np.testing.assert_array_equal(kmeans(distinct[which], 3, spherical, init).max(), 2)


def test_refill_takes_the_farthest_but_no_last_member_and_no_copy():
    points = torch.tensor([[0.0], [1.0], [7.0], [7.0], [3.0], [99.0]])
    labels = torch.tensor([0, 0, 0, 0, 0, 2])
    distances = torch.tensor([0.0, 1.0, 49.0, 49.0, 9.0, 1000.0])
    refilled = refill_empty(points, labels, distances, 4, 1e-9)
    assert refilled.tolist() == [0, 0, 1, 0, 3, 2]
    # With six clusters wanted, the point on its centre founds none.
    assert refill_empty(points, labels, distances, 6, 1e-9).tolist() == [0, 4, 1, 0, 3, 2]
    assert labels.tolist() == [0, 0, 0, 0, 0, 2]


def test_k_means_plus_plus_draws_in_proportion_to_squared_distance():
    points = torch.tensor([[0.0], [1.0], [3.0]])
    generator = torch.Generator().manual_seed(0)
    pairs = [initial_centers(points, 2, "k-means++", generator)[:, 0] for _ in range(6000)]
    after_zero = [float(second) for first, second in pairs if first == 0]
    assert 0.0 not in after_zero
    # From 0: weights 1 and 9; about 2000 draws have a standard deviation of 0.007.
    assert np.mean(np.array(after_zero) == 3) == pytest.approx(0.9, abs=0.03)


def test_spherical_ignores_lengths_and_is_not_euclidean():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 5))
    scaled = x * rng.uniform(0.1, 10, (200, 1))
    labels = kmeans(x, 6, spherical=True)
    np.testing.assert_array_equal(kmeans(scaled, 6, spherical=True), labels)
    assert (kmeans(scaled, 6) != labels).any()
    # Two directions at any distance from the origin.
    rays = np.array([[1, 0], [100, 1], [0, 1], [1, 100], [0, 0.01]])
    assert kmeans(rays, 2, spherical=True).tolist() == [0, 0, 1, 1, 1]


def test_zero_rows_are_a_direction_of_their_own():
    x = np.array([[0, 0], [1, 0], [2, 0.1], [0, 3], [0.1, 4], [0, 0]])
    assert kmeans(x, 3, spherical=True, num_restarts=5).tolist() == [0, 1, 1, 2, 2, 0]


@pytest.mark.parametrize("spherical", [False, True])
def test_dtype_container_and_block_do_not_matter(spherical, monkeypatch):
    x = blobs(200, 6, 9, 1.0)
    labels = kmeans(x, 9, spherical)
    for same in (x.astype(np.float64), torch.from_numpy(x), torch.from_numpy(x).requires_grad_()):
        np.testing.assert_array_equal(kmeans(same, 9, spherical), labels)
    monkeypatch.setattr(MODULE, "_BLOCK_ELEMENTS", 64)
    np.testing.assert_array_equal(kmeans(x, 9, spherical), labels)


def test_products_with_centers_are_never_n_by_k(monkeypatch):
    sizes = []
    addmm = torch.addmm

    def spy(*tensors):
        product = addmm(*tensors)
        sizes.append(product.numel())
        return product

    monkeypatch.setattr(torch, "addmm", spy)
    monkeypatch.setattr(MODULE, "_BLOCK_ELEMENTS", 500)
    kmeans(blobs(200, 3, 9, 1.0), 20, max_iterations=2)
    assert sizes == [500] * 16


def test_a_far_off_origin_costs_no_precision():
    # Multiples of 1/256, which float32 holds exactly even when shifted.
    x = (256 * blobs(200, 6, 9, 0.5)).round() / 256
    np.testing.assert_array_equal(kmeans(x + 2**14, 9), kmeans(x, 9))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("spherical", [False, True])
def test_gpu(spherical):
    x = torch.from_numpy(blobs(3000, 16, 20, 1.0))
    labels = kmeans(x.cuda(), 20, spherical)
    np.testing.assert_array_equal(kmeans(x.cuda(), 20, spherical), labels)
    assert inertia_of(x.numpy(), labels, spherical) == pytest.approx(
        inertia_of(x.numpy(), kmeans(x, 20, spherical), spherical), rel=1e-3
    )


def test_bad_input_is_named():
    x = np.ones((4, 2))
    with pytest.raises(ValueError, match="5 clusters of 4 embeddings"):
        kmeans(x, 5)
    with pytest.raises(ValueError, match="num_clusters=0"):
        kmeans(x, 0)
    with pytest.raises(ValueError, match="num_restarts=0"):
        kmeans(x, 2, num_restarts=0)
    with pytest.raises(ValueError, match="max_iterations=0"):
        kmeans(x, 2, max_iterations=0)
    with pytest.raises(ValueError, match="'forgy'"):
        kmeans(x, 2, init="forgy")
    x[3] = np.nan
    with pytest.raises(ValueError, match="the first in row 3"):
        kmeans(x, 2)


@pytest.mark.parametrize("name", ["KMeans", "SphericalKMeans"])
def test_from_config(name):
    clusterer = TASK_UTILS.build(dict(type=name, num_clusters=4, num_restarts=3, seed=2))
    x = blobs(60, 5, 4, 0.05)
    expected = kmeans(unit(x), 4, name == "SphericalKMeans", num_restarts=3, seed=2)
    np.testing.assert_array_equal(clusterer(x), expected)
    with pytest.raises(ValueError, match="1000 clusters of 60 embeddings"):
        TASK_UTILS.build(dict(type=name))(x)
    with pytest.raises(ValueError, match="'forgy'"):
        TASK_UTILS.build(dict(type=name, init="forgy"))


def test_normalize_is_the_default_and_can_be_left_out():
    x = blobs(100, 3, 6, 2.0)
    np.testing.assert_array_equal(KMeans(6)(100 * x), kmeans(unit(x), 6))
    np.testing.assert_array_equal(KMeans(6, normalize=False)(x), kmeans(x, 6))
    assert (kmeans(x, 6) != kmeans(unit(x), 6)).any()
    np.testing.assert_array_equal(SphericalKMeans(6)(x), kmeans(x, 6, spherical=True))
