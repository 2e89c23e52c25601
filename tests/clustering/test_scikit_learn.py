from __future__ import annotations

import numpy as np
import pytest
import torch
from mmaction.registry import TASK_UTILS
from sklearn import cluster

from slic_mmaction.clustering import DBSCAN, OPTICS
from slic_mmaction.clustering.quality import renumber

NAMES = ["DBSCAN", "OPTICS", "AgglomerativeClustering"]


def at_angles(*degrees: float) -> np.ndarray:
    """Rows on the unit circle, times different lengths."""
    radians = np.radians(degrees)
    lengths = np.linspace(0.5, 3, len(radians))[:, None]
    return (np.stack([np.cos(radians), np.sin(radians)], 1) * lengths).astype(np.float32)


def test_dbscan_chains_neighbours_and_keeps_noise():
    # Cosine distance 0.14 is 30.7 degrees: 0, 25, 50 chain up; 100 has no neighbour.
    labels = DBSCAN()(at_angles(100, 180, 0, 190, 25, 50, 270))
    assert labels.dtype == np.int64
    assert labels.tolist() == [-1, 0, 1, 0, 1, 1, -1]
    assert DBSCAN(eps=0.08)(at_angles(0, 25, 50)).tolist() == [-1, -1, -1]
    assert DBSCAN(min_samples=4)(at_angles(0, 25, 50)).tolist() == [-1, -1, -1]


def test_dbscan_of_any_two_samples_is_the_components_of_the_radius_graph():
    x = np.random.default_rng(0).standard_normal((150, 3))
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    near = 1 - units @ units.T <= 0.02
    reach = np.linalg.matrix_power(near.astype(np.float64), 32) > 0
    reach = np.linalg.matrix_power(reach.astype(np.float64), 32) > 0
    component = reach.argmax(1)
    component[near.sum(1) == 1] = -1
    labels = DBSCAN(eps=0.02)(x)
    np.testing.assert_array_equal(labels == -1, component == -1)
    member = labels != -1
    assert 0 < member.sum() < 150 and labels.max() > 3
    np.testing.assert_array_equal(labels[member], renumber(component[member]))


def test_optics_finds_two_densities():
    rng = np.random.default_rng(0)
    tight = rng.normal(0, 0.5, 30)
    wide = rng.normal(120, 5, 30)
    labels = OPTICS(min_samples=5, xi=0.2)(at_angles(*wide, *tight))
    assert labels.dtype == np.int64
    # The largest cluster among each half differs between the halves.
    first, second = (np.bincount(half[half >= 0]).argmax() for half in (labels[:30], labels[30:]))
    assert first != second
    assert not set(labels[:30]) & set(labels[30:]) - {-1}


@pytest.mark.filterwarnings("error")
def test_optics_takes_duplicates_without_a_warning():
    x = np.random.default_rng(0).standard_normal((20, 8))
    np.testing.assert_array_equal(OPTICS()(x.repeat(3, 0)), np.arange(20).repeat(3))


def test_optics_is_scikit_learns():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 8))[rng.integers(6, size=300)]
    x = (x + 0.3 * rng.standard_normal(x.shape)).astype(np.float32)
    # Of two points to a core point; of more, equal distances abound and rounding decides.
    for options in (dict(), dict(max_eps=0.05), dict(metric="euclidean", xi=0.1)):
        options = dict(dict(min_samples=2, metric="cosine"), **options)
        theirs = cluster.OPTICS(**options).fit_predict(x.astype(np.float64))
        labels = OPTICS(**options)(x)
        np.testing.assert_array_equal(labels == -1, theirs == -1)
        np.testing.assert_array_equal(labels[labels >= 0], renumber(theirs[theirs >= 0]))
        assert labels.max() >= 2


@pytest.mark.parametrize("clusterer", [DBSCAN(), OPTICS(max_eps=0.5), DBSCAN(min_samples=4)])
def test_zero_rows_are_noise(clusterer):
    x = at_angles(0, 1, 2, 3, 90, 91, 92, 93)
    zeros = np.zeros((3, 2), dtype=np.float32)
    assert clusterer(np.concatenate([zeros, x]))[:3].tolist() == [-1] * 3
    assert clusterer(zeros).tolist() == [-1] * 3
    assert clusterer(zeros[:1]).tolist() == [-1]


def test_all_noise_and_one_cluster():
    apart = at_angles(*range(0, 360, 40))
    together = at_angles(*np.linspace(0, 5, 40))
    for clusterer in (DBSCAN(), DBSCAN(min_samples=5), OPTICS(max_eps=0.1)):
        assert clusterer(apart).tolist() == [-1] * 9
    for clusterer in (DBSCAN(), DBSCAN(min_samples=5)):
        assert clusterer(together).tolist() == [0] * 40


def test_optics_without_a_neighbour_in_reach_is_noise():
    assert OPTICS(min_samples=3)(at_angles(0, 1)).tolist() == [-1, -1]
    assert OPTICS()(at_angles(0)).tolist() == [-1]


@pytest.mark.parametrize("name", NAMES)
def test_from_config_with_any_input(name):
    clusterer = TASK_UTILS.build(dict(type=name))
    x = at_angles(0, 1, 90, 91, 180, 182)
    labels = clusterer(x)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(clusterer(torch.from_numpy(x).requires_grad_()), labels)
    np.testing.assert_array_equal(clusterer(x.astype(np.float64)), labels)
    x[4] = np.nan
    with pytest.raises(ValueError, match="the first in row 4"):
        clusterer(x)


@pytest.mark.parametrize("name", NAMES)
def test_euclidean_is_a_choice(name):
    x = np.array([[1.0, 0], [9, 0], [1.1, 0], [9.1, 0]])
    scale = {"DBSCAN": dict(eps=0.5), "AgglomerativeClustering": dict(distance_threshold=0.5)}
    clusterer = TASK_UTILS.build(dict(type=name, metric="euclidean", **scale.get(name, {})))
    assert clusterer(x).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("DBSCAN", "eps", 0),
        ("DBSCAN", "min_samples", 0),
        ("DBSCAN", "metric", "l1"),
        ("OPTICS", "min_samples", 1),
        ("OPTICS", "max_eps", 0),
        ("OPTICS", "xi", 1),
        ("OPTICS", "metric", "l1"),
        ("AgglomerativeClustering", "distance_threshold", -1),
        ("AgglomerativeClustering", "linkage", "ward"),
        ("AgglomerativeClustering", "metric", "l1"),
    ],
)
def test_bad_options_are_named(name, option, value):
    with pytest.raises(ValueError, match=f"{name} got .*{option}={value!r}"):
        TASK_UTILS.build(dict(type=name, **{option: value}))
