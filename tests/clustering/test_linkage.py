from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn import cluster

from slic_mmaction.clustering import AgglomerativeClustering
from slic_mmaction.clustering.complete_linkage import BYTES_PER_PAIR
from slic_mmaction.clustering.embeddings import renumber

WITHOUT_MATRIX = [("single", "cosine"), ("single", "euclidean"), ("average", "cosine")]
SPARSE = [("complete", "cosine"), ("complete", "euclidean")]
EVERY = [*WITHOUT_MATRIX, *SPARSE, ("average", "euclidean")]


def groups(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((max(1, n // 8), 6))
    x = centers[rng.integers(len(centers), size=n)] + 0.4 * rng.standard_normal((n, 6))
    return x.astype(np.float32)


def scipy_labels(x: np.ndarray, method: str, metric: str, threshold: float) -> np.ndarray:
    """Labels of scipy's tree. A zero row is at cosine distance 1 from all."""
    distances = np.nan_to_num(pdist(x.astype(np.float64), metric), nan=1.0)
    labels = fcluster(linkage(distances, method), np.nextafter(threshold, 0), "distance")
    return renumber(labels)


@pytest.mark.parametrize(("method", "metric"), EVERY)
@pytest.mark.parametrize("threshold", [0.02, 0.24, 0.7])
def test_the_cut_of_scipys_tree(method, metric, threshold):
    x = groups(150)
    x[140:] = x[10:20]  # copies
    x[100:110] = 0
    threshold *= 3 if metric == "euclidean" else 1
    clusterer = AgglomerativeClustering(threshold, method, metric)
    labels = clusterer(x)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, scipy_labels(x, method, metric, threshold))


@pytest.mark.parametrize(("method", "metric"), EVERY)
def test_scikit_learn_merges_below_the_threshold_only(method, metric):
    x = np.array([[1.0, 0], [0, 1], [1, 1], [3, 0]])
    threshold = float(np.unique(pdist(x, metric))[1])
    theirs = cluster.AgglomerativeClustering(
        n_clusters=None, distance_threshold=threshold, linkage=method, metric=metric
    ).fit_predict(x)
    np.testing.assert_array_equal(
        AgglomerativeClustering(threshold, method, metric)(x), renumber(theirs)
    )
    nothing = AgglomerativeClustering(0, method, metric)(np.ones((3, 2)))
    assert nothing.tolist() == [0, 1, 2]


@pytest.mark.parametrize(("method", "metric"), [*WITHOUT_MATRIX, *SPARSE])
def test_without_the_matrix_the_same_clusters(method, metric):
    x = groups(200)
    x[:5] = x[5:10]
    threshold = 0.7 if metric == "euclidean" else 0.05
    few = int((squareform(pdist(x, metric)) < threshold).sum() / 2 * BYTES_PER_PAIR)
    labels = AgglomerativeClustering(threshold, method, metric, max_bytes=few)(x)
    assert few < 8 * 200**2 // 2
    np.testing.assert_array_equal(labels, scipy_labels(x, method, metric, threshold))
    assert 20 < labels.max() < 180


def test_what_does_not_fit_is_refused():
    x = groups(50)
    complete = AgglomerativeClustering(1.5, "complete", max_bytes=19999)
    with pytest.raises(ValueError, match=r"50 embeddings finds more pairs below .*=1\.5 than fit"):
        complete(x)
    euclidean = AgglomerativeClustering(metric="euclidean", max_bytes=19999)
    with pytest.raises(ValueError, match=r"needs 20000 bytes, more than max_bytes=19999: use the"):
        euclidean(x)
    assert AgglomerativeClustering(metric="euclidean", max_bytes=20000)(x).shape == (50,)
    with pytest.raises(ValueError, match=r"23171 embeddings by average .* 4295161928 bytes"):
        AgglomerativeClustering(metric="euclidean")(np.ones((23171, 1)))


@pytest.mark.parametrize(("method", "metric"), EVERY)
@pytest.mark.parametrize("max_bytes", [31, 4 << 30])
def test_one_or_two_points(method, metric, max_bytes):
    if (method, metric) == ("average", "euclidean"):
        max_bytes += 1  # Less is refused.
    clusterer = AgglomerativeClustering(0.3, method, metric, max_bytes)
    assert clusterer(np.array([[2.0, 1]])).tolist() == [0]
    assert clusterer(np.array([[2.0, 1], [-1, 2]])).tolist() == [0, 1]
    assert clusterer(np.array([[2.0, 1], [2, 1]])).tolist() == [0, 0]
