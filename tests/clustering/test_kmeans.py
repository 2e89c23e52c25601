from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TASK_UTILS
from sklearn import cluster, metrics

from slic_mmaction.clustering import KMeans, SphericalKMeans, kmeans, kmeans_lloyd, kmeans_passes
from slic_mmaction.clustering.embeddings import renumber
from slic_mmaction.clustering.kmeans_seeding import initial_centers


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
    labels = kmeans(x, k, spherical, init, seed=seed, tolerance=0)
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


def test_the_tolerance_and_the_limit_end_the_iteration(monkeypatch):
    calls = []
    assign = kmeans_lloyd.assign
    monkeypatch.setattr(kmeans_lloyd, "assign", lambda *a: calls.append(1) or assign(*a))
    x = np.random.default_rng(0).standard_normal((500, 6))

    def iterations(**options) -> int:
        calls.clear()
        kmeans(x, 20, **options)
        return len(calls)

    counts = [iterations(tolerance=t) for t in (0.5, 1e-2, 1e-3, 0)]
    assert counts[0] == 2 and counts == sorted(set(counts)) and counts[-1] < 100
    assert iterations(max_iterations=1) == 1
    assert iterations(tolerance=0, max_iterations=1000) == counts[-1]


@pytest.mark.parametrize(("count", "spread"), [(10, 0.5), (6, 2.0)])
def test_inertia_of_scikit_learn(count, spread):
    x = blobs(800, 5, count, spread)
    ours = inertia_of(x, kmeans(x, count, num_restarts=10))
    theirs = cluster.KMeans(count, n_init=10, random_state=0).fit(x).inertia_
    assert ours == pytest.approx(theirs, rel=0.01)


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_groups_are_found_from_a_poor_start(init):
    rng = np.random.default_rng(0)
    truth = rng.integers(100, size=3000)
    x = rng.standard_normal((100, 32))[truth] + 0.5 * rng.standard_normal((3000, 32))
    found = kmeans(x, 100, init=init)
    assert inertia_of(x, found) < 1.01 * inertia_of(x, renumber(truth))
    assert metrics.adjusted_rand_score(truth, found) > 0.98
    # Lloyd's iteration alone gets stuck.
    theirs = cluster.KMeans(100, init=init, n_init=1, random_state=0).fit(x)
    assert inertia_of(x, found) <= theirs.inertia_


def test_scikit_learn_from_the_same_centers(monkeypatch):
    monkeypatch.setattr(kmeans_lloyd, "split_merge", lambda points, labels, *a: labels)
    x = blobs(400, 6, 8, 3.0)
    points = x - x.mean(0, dtype=np.float64).astype(np.float32)
    start = initial_centers(
        torch.from_numpy(points), 8, "k-means++", torch.Generator().manual_seed(3)
    )
    theirs = cluster.KMeans(8, init=start.numpy(), n_init=1, tol=0).fit(points)
    np.testing.assert_array_equal(kmeans(x, 8, seed=3, tolerance=0), renumber(theirs.labels_))


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
    x = np.random.default_rng(0).standard_normal((200, 3))
    runs = np.array(
        [
            [inertia_of(x, kmeans(x, 20, init=init, num_restarts=r, seed=s)) for r in range(1, 7)]
            for s in range(4)
        ]
    )
    assert (np.diff(runs, axis=1) <= 1e-3).all()
    assert runs[:, -1].mean() < 0.99 * runs[:, 0].mean()


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


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_few_points_and_as_many_clusters_as_points(init, spherical):
    x = np.random.default_rng(0).standard_normal((40, 3))
    for n in (1, 2, 3, 40):
        np.testing.assert_array_equal(kmeans(x[:n], n, spherical, init), np.arange(n))
        np.testing.assert_array_equal(kmeans(x[:n], 1, spherical, init), np.zeros(n))
    assert kmeans(np.zeros((5, 2)), 3, spherical, init).tolist() == [0] * 5


def test_zero_rows_are_a_direction_of_their_own():
    x = np.array([[0, 0], [1, 0], [2, 0.1], [0, 3], [0.1, 4], [0, 0]])
    assert kmeans(x, 3, spherical=True, num_restarts=5).tolist() == [0, 1, 1, 2, 2, 0]


@pytest.mark.parametrize("spherical", [False, True])
def test_dtype_container_and_block_do_not_matter(spherical, monkeypatch):
    x = blobs(200, 6, 9, 1.0)
    labels = kmeans(x, 9, spherical)
    for same in (x.astype(np.float64), torch.from_numpy(x), torch.from_numpy(x).requires_grad_()):
        np.testing.assert_array_equal(kmeans(same, 9, spherical), labels)
    monkeypatch.setitem(kmeans_passes._BLOCK_ELEMENTS, "cpu", 1)
    monkeypatch.setattr(kmeans_passes, "_LEAST_ROWS", 7)
    np.testing.assert_array_equal(kmeans(x, 9, spherical), labels)


def test_products_with_centers_are_never_n_by_k(monkeypatch):
    sizes = []
    addmm = torch.addmm

    def spy(*tensors):
        product = addmm(*tensors)
        sizes.append(product.numel())
        return product

    monkeypatch.setattr(torch, "addmm", spy)
    monkeypatch.setitem(kmeans_passes._BLOCK_ELEMENTS, "cpu", 1300)
    kmeans(blobs(700, 3, 9, 1.0), 20)
    assert 1280 <= max(sizes) <= 1300


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
    for bad in (-1e-4, float("nan")):
        with pytest.raises(ValueError, match=f"tolerance={bad}"):
            kmeans(x, 2, tolerance=bad)
    x[3] = np.nan
    with pytest.raises(ValueError, match="the first in row 3"):
        kmeans(x, 2)


@pytest.mark.parametrize("name", ["KMeans", "SphericalKMeans"])
def test_from_config(name):
    options = dict(num_clusters=4, num_restarts=3, seed=2, tolerance=0.0)
    clusterer = TASK_UTILS.build(dict(type=name, **options))
    x = blobs(60, 5, 4, 0.05)
    expected = kmeans(unit(x), spherical=name == "SphericalKMeans", **options)
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
