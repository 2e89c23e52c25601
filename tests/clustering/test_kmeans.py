from __future__ import annotations

import numpy as np
import pytest
import torch
from mmaction.registry import TASK_UTILS
from sklearn import cluster

from slic_mmaction.clustering import KMeans, SphericalKMeans
from slic_mmaction.clustering.quality import renumber

NAMES = pytest.mark.parametrize("name", ["KMeans", "SphericalKMeans"])


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def blobs(n: int, dim: int, count: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = 5 * rng.standard_normal((count, dim))
    noise = spread * rng.standard_normal((n, dim))
    return (centers[rng.integers(count, size=n)] + noise).astype(np.float32)


def means_of(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.stack([x[labels == k].mean(0) for k in range(labels.max() + 1)])


def inertia_of(x: np.ndarray, labels: np.ndarray) -> float:
    return float(((x - means_of(x, labels)[labels]) ** 2).sum())


@pytest.mark.parametrize("clusterer", [KMeans(7), SphericalKMeans(7)], ids=["plain", "spherical"])
def test_every_point_is_with_the_nearest_mean(clusterer):
    x = np.random.default_rng(0).standard_normal((300, 4)).astype(np.float32)
    labels = clusterer(3 * x)
    assert labels.shape == (300,) and labels.dtype == np.int64
    np.testing.assert_array_equal(labels, renumber(labels))
    assert labels.max() == 6
    points = unit(x)
    means = means_of(points, labels)
    if clusterer.spherical:
        means = unit(means)
    distances = ((points[:, None] - means) ** 2).sum(-1)
    assert (distances[np.arange(300), labels] <= distances.min(1) + 1e-4).all()


def test_about_as_good_as_scikit_learn():
    x = unit(np.random.default_rng(0).standard_normal((2000, 8)).astype(np.float32))
    theirs = cluster.KMeans(40, n_init=3, random_state=0).fit(x).inertia_
    assert inertia_of(x, KMeans(40, num_restarts=3)(3 * x)) < 1.03 * theirs


@NAMES
def test_from_config_the_same_every_time(name):
    x = blobs(200, 5, 9, 2.0)
    config = dict(type=name, num_clusters=9, num_restarts=2, max_iterations=20, seed=2)
    labels = TASK_UTILS.build(config)(x)
    np.testing.assert_array_equal(TASK_UTILS.build(config)(torch.from_numpy(x)), labels)
    np.testing.assert_array_equal(TASK_UTILS.build(config)(x.astype(np.float64)), labels)
    other = TASK_UTILS.build(dict(config, seed=3, num_restarts=1, max_iterations=1))(x)
    assert (other != labels).any()


@NAMES
def test_as_many_clusters_as_points_or_as_different_points(name):
    x = np.eye(6, dtype=np.float32)
    assert TASK_UTILS.build(dict(type=name, num_clusters=6))(x).tolist() == list(range(6))
    copies = TASK_UTILS.build(dict(type=name, num_clusters=6))(x[[0, 1, 0, 1, 0, 1, 0]])
    assert copies.max() >= 1 and len(set(copies[::2])) <= 4
    assert set(copies[::2]).isdisjoint(copies[1::2])


@NAMES
def test_bad_input_is_named(name):
    x = blobs(60, 5, 4, 0.05)
    with pytest.raises(ValueError, match=r"cannot make 1000 clusters of 60 .* 60 or less"):
        TASK_UTILS.build(dict(type=name))(x)
    for option in ("num_clusters", "num_restarts", "max_iterations"):
        with pytest.raises(ValueError, match=rf"{name}\(.*{option}=0"):
            TASK_UTILS.build(dict(type=name, **{option: 0}))
    x[3] = np.nan
    with pytest.raises(ValueError, match="the first in row 3"):
        TASK_UTILS.build(dict(type=name, num_clusters=2))(x)
