from __future__ import annotations

import numpy as np
import pytest
import torch
from mmaction.registry import TASK_UTILS
from scipy.cluster.hierarchy import fcluster
from scipy.cluster.hierarchy import linkage as hierarchy
from scipy.spatial.distance import pdist
from sklearn import cluster

from slic_mmaction.clustering import DBSCAN, OPTICS, AgglomerativeClustering, scikit_learn
from slic_mmaction.clustering.quality import renumber

NAMES = ["DBSCAN", "OPTICS", "AgglomerativeClustering"]


def at_angles(*degrees: float) -> np.ndarray:
    """Rows on the unit circle, times different lengths."""
    radians = np.radians(degrees)
    lengths = np.linspace(0.5, 3, len(radians))[:, None]
    return (np.stack([np.cos(radians), np.sin(radians)], 1) * lengths).astype(np.float32)


@pytest.mark.filterwarnings("error")
def test_optics_takes_duplicates_without_a_warning():
    x = np.random.default_rng(0).standard_normal((20, 8))
    np.testing.assert_array_equal(OPTICS()(x.repeat(3, 0)), np.arange(20).repeat(3))


@pytest.mark.filterwarnings("ignore:All reachability values")
@pytest.mark.parametrize("clusterer", [DBSCAN(), OPTICS(max_eps=0.5), DBSCAN(min_samples=4)])
def test_zero_rows_are_noise(clusterer):
    x = at_angles(0, 1, 2, 3, 90, 91, 92, 93)
    zeros = np.zeros((3, 2), dtype=np.float32)
    assert clusterer(np.concatenate([zeros, x]))[:3].tolist() == [-1] * 3
    assert clusterer(zeros).tolist() == [-1] * 3
    assert clusterer(zeros[:1]).tolist() == [-1]


@pytest.mark.filterwarnings("ignore:All reachability values")
def test_all_noise_and_one_cluster():
    apart = at_angles(*range(0, 360, 40))
    together = at_angles(*np.linspace(0, 5, 40))
    for clusterer in (DBSCAN(), DBSCAN(min_samples=5), OPTICS(max_eps=0.1)):
        assert clusterer(apart).tolist() == [-1] * 9
    assert OPTICS(min_samples=3)(at_angles(0, 1)).tolist() == [-1, -1]
    for clusterer in (DBSCAN(), DBSCAN(min_samples=5)):
        assert clusterer(together).tolist() == [0] * 40


def groups() -> np.ndarray:
    """Groups that overlap, with copies and zero rows."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((18, 6))[rng.integers(18, size=150)]
    x = (x + 0.4 * rng.standard_normal(x.shape)).astype(np.float32)
    x[140:], x[100:110] = x[10:20], 0
    return x


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("linkage", ["average", "complete", "single"])
def test_agglomerative_is_the_cut_of_scipys_tree(linkage, metric):
    x = groups()
    # A zero row is at cosine distance 1 from all.
    distances = np.nan_to_num(pdist(x.astype(np.float64), metric), nan=1.0)
    for threshold in np.array([0.02, 0.24, 0.7]) * (3 if metric == "euclidean" else 1):
        expected = fcluster(hierarchy(distances, linkage), threshold, "distance")
        labels = AgglomerativeClustering(threshold, linkage, metric)(x)
        np.testing.assert_array_equal(labels, renumber(expected))
    # At the threshold itself nothing is merged, as in scikit-learn.
    corners = np.array([[1.0, 0], [0, 1], [1, 1], [3, 0]])
    options = dict(distance_threshold=float(np.unique(pdist(corners, "euclidean"))[1]))
    theirs = cluster.AgglomerativeClustering(None, linkage=linkage, **options).fit_predict(corners)
    ours = AgglomerativeClustering(linkage=linkage, metric="euclidean", **options)(corners)
    np.testing.assert_array_equal(ours, renumber(theirs))
    assert AgglomerativeClustering(0, linkage, metric)(np.ones((3, 2))).tolist() == [0, 1, 2]
    assert AgglomerativeClustering(1, linkage, metric)(np.ones((1, 2))).tolist() == [0]


@pytest.mark.parametrize(
    ("clusterer", "needed"),
    [
        (AgglomerativeClustering(0.1), 8_000_000),
        (DBSCAN(), 800_000),
        (DBSCAN(0.1, metric="euclidean"), 2_100_000),
    ],
)
def test_what_does_not_fit_in_memory_is_refused(clusterer, needed, monkeypatch):
    x = at_angles(*range(0, 360, 36)).repeat(100, 0)  # 1000 * 100 pairs of equal points
    monkeypatch.setattr(scikit_learn, "_free_memory", lambda: needed)
    assert clusterer(x).max() == 9
    monkeypatch.setattr(scikit_learn, "_free_memory", lambda: needed - 1)
    with pytest.raises(
        ValueError,
        match=f"of 1000 embeddings needs {needed:,} bytes .* but {needed - 1:,} are free",
    ):
        clusterer(x)


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
    with pytest.raises(ValueError, match=rf"{name}\(.*{option}={value!r}"):
        TASK_UTILS.build(dict(type=name, **{option: value}))
