from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TASK_UTILS
from mmengine.logging import MMLogger

from slic_mmaction.clustering import FINCH, finch, first_neighbors
from slic_mmaction.clustering.quality import renumber

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "finch.npz")


def golden_embeddings(name: str) -> np.ndarray:
    return GOLDEN[f"{name}/embeddings"].astype(np.float32)


@pytest.mark.parametrize(("early_exit", "suffix"), [(True, ""), (False, "_no_early_exit")])
@pytest.mark.parametrize("name", ["small", "medium"])
def test_partitions_of_the_authors_code(name, early_exit, suffix):
    result = finch(golden_embeddings(name), early_exit=early_exit)
    expected = GOLDEN[f"{name}/labels{suffix}"]
    assert result.num_clusters.tolist() == GOLDEN[f"{name}/num_clust{suffix}"].tolist()
    assert result.labels.shape == expected.shape and result.labels.dtype == np.int64
    for level in range(expected.shape[1]):
        # Ours are numbered by first appearance; bring theirs to the same names.
        np.testing.assert_array_equal(result.labels[:, level], renumber(expected[:, level]))


@pytest.mark.parametrize("seed", range(6))
def test_all_levels_of_finch_clust(seed):
    package = pytest.importorskip("finch", reason="finch-clust, the oracle, is not installed")
    rng = np.random.default_rng(seed)
    n, dim = int(rng.integers(10, 600)), int(rng.integers(2, 65))
    centers = rng.standard_normal((int(rng.integers(2, 60)), dim))
    noise = rng.uniform(0.05, 1.5)
    x = centers[rng.integers(len(centers), size=n)] + noise * rng.standard_normal((n, dim))
    x = x.astype(np.float32)
    metric = ("cosine", "euclidean")[seed % 2]
    # Their early exit (0.2.3) sets links to zero in a sparse matrix, and SciPy counts stored zeros
    # as links: it removes nothing, whether it is asked for or not.
    theirs = package.FINCH(x, distance=metric, ensure_early_exit=bool(seed % 3), verbose=False)[0]
    ours = finch(x, metric, early_exit=False)
    extra = ours.labels.shape[1] - theirs.shape[1]
    # They drop a level that merges exactly one cluster, the authors of SLIC keep it.
    assert extra == 0 or (extra == 1 and ours.num_clusters[-2] - ours.num_clusters[-1] == 1)
    for level in range(theirs.shape[1]):
        np.testing.assert_array_equal(ours.labels[:, level], renumber(theirs[:, level]))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("name", ["small", "medium"])
def test_requested_numbers_of_finch_clust(name, metric):
    package = pytest.importorskip("finch", reason="finch-clust, the oracle, is not installed")
    x = golden_embeddings(name)
    for number in (1, 2, 9, 25, 40):
        theirs = package.FINCH(x, distance=metric, req_clust=number, verbose=False)[2]
        ours = FINCH(num_clusters=number, metric=metric, early_exit=False)(x)
        assert ours.max() + 1 == number
        np.testing.assert_array_equal(ours, renumber(theirs))


def plain_finch(x: np.ndarray, metric: str, early_exit: bool) -> list[list[int]]:
    """The paper's rule with N x N matrices."""

    def distances_of(points):
        if metric == "euclidean":
            return np.linalg.norm(points[:, None] - points[None], axis=-1)
        units = points / np.linalg.norm(points, axis=1, keepdims=True)
        return 1 - units @ units.T

    points, levels, limit = x.astype(np.float64), [], np.inf
    while True:
        n = len(points)
        distances = distances_of(points)
        f = np.eye(n)[first_neighbors(points, metric)] + np.eye(n)
        weighted = distances * (f @ f.T - np.diag(np.diag(f @ f.T)))
        linked = f @ f.T > 0
        if not levels and early_exit and n > 2:
            limit = weighted.max()
        if levels:
            linked &= weighted <= limit
        reach = np.linalg.matrix_power(linked.astype(float) + np.eye(n), n) > 0
        merged = renumber(reach.argmax(1))
        count = merged.max() + 1
        if levels and (count == 1 or count == n):
            return levels
        levels.append(merged.tolist() if not levels else merged[levels[-1]].tolist())
        if count == 1 or (len(levels) > 1 and n - count == 1):
            return levels
        labels = np.array(levels[-1])
        points = np.stack([x[labels == c].astype(np.float64).mean(0) for c in range(count)])


@pytest.mark.parametrize("early_exit", [True, False])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(n=st.integers(2, 40), dim=st.integers(2, 6), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_hierarchy_of_the_plain_rule(metric, early_exit, n, dim, seed):
    x = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    result = finch(x, metric, early_exit=early_exit)
    assert result.labels.T.tolist() == plain_finch(x, metric, early_exit)


@given(n=st.integers(1, 60), dim=st.integers(1, 5), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_levels_are_nested_contiguous_and_coarser(n, dim, seed):
    # A coarse grid: duplicates, ties and zero rows included.
    x = np.random.default_rng(seed).integers(-2, 3, (n, dim)).astype(np.float32)
    result = finch(x)
    assert (np.diff(result.num_clusters) < 0).all()
    for level, count in enumerate(result.num_clusters):
        labels = result.labels[:, level]
        assert np.unique(labels).tolist() == list(range(count))
        np.testing.assert_array_equal(labels, renumber(labels))
        if level:
            finer = result.labels[:, level - 1]
            pairs = np.unique(np.stack([finer, labels]), axis=1)
            assert pairs.shape[1] == result.num_clusters[level - 1]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_tiny_sets_are_one_cluster(n):
    result = finch(np.eye(3)[:n])
    assert result.labels.tolist() == [[0]] * n
    assert result.num_clusters.tolist() == [1]
    assert finch(torch.ones(3000, 8)).num_clusters.tolist() == [1], "collapsed"


def test_a_level_of_one_cluster_is_dropped():
    x = np.array([[0.0], [1], [10], [11], [500], [501]])
    assert finch(x, "euclidean", early_exit=False).num_clusters.tolist() == [3]


def test_early_exit_counts_mutual_links_twice():
    # Pairs of length 1 give the limit 2; level 1 would link pairs that are 1.5 apart mutually.
    x = np.array([[0.0, 0], [0, 1], [1.5, 0], [1.5, 1], [90, 0], [90, 1], [91.5, 0], [91.5, 1]])
    assert finch(x, "euclidean", early_exit=False).num_clusters.tolist() == [4, 2]
    assert finch(x, "euclidean").num_clusters.tolist() == [4]


def test_all_links_of_a_level_removed():
    # Pairs of duplicates: the limit is 0, and every later link exceeds it.
    x = np.repeat(np.array([[0.0, 0], [5, 0], [0, 7], [90, 90]]), 2, axis=0)
    assert finch(x, "euclidean").num_clusters.tolist() == [4]


def test_num_levels_cuts_the_hierarchy_and_the_registered_class_takes_a_level():
    x = golden_embeddings("small")
    whole, cut = finch(x), finch(x, num_levels=2)
    # A level that merges one cluster is kept and is the last.
    assert whole.num_clusters[-2] - whole.num_clusters[-1] == 1 and whole.num_clusters[-1] > 2
    for level in (0, 1):
        labels = TASK_UTILS.build(dict(type="FINCH", level=level))(torch.from_numpy(x))
        np.testing.assert_array_equal(labels, whole.labels[:, level])
    np.testing.assert_array_equal(cut.labels, whole.labels[:, :2])
    assert cut.num_clusters.tolist() == whole.num_clusters[:2].tolist()


def test_more_clusters_or_levels_than_there_are_warn_and_give_the_nearest(monkeypatch):
    lines = []
    monkeypatch.setattr(
        MMLogger.get_current_instance(), "log", lambda level, message: lines.append(message)
    )
    x = golden_embeddings("small")
    np.testing.assert_array_equal(FINCH(level=9)(x), finch(x).labels[:, -1])
    np.testing.assert_array_equal(FINCH(num_clusters=300)(x), finch(x).labels[:, 0])
    assert "level 9 does not exist: using level 2 with 18 clusters" in lines[0]
    assert "num_clusters=300, but its finest level has 68" in lines[1]


@pytest.mark.parametrize("option", [dict(level=-1), dict(num_clusters=0), dict(metric="l1")])
def test_bad_option_is_named(option):
    with pytest.raises(ValueError, match=str(next(iter(option.values())))):
        FINCH(**option)
    with pytest.raises(ValueError, match="num_levels"):
        finch(np.eye(3), num_levels=0)
    with pytest.raises(ValueError, match="1 of 4 embeddings have NaN or Inf, the first in row 3"):
        finch(np.array([[1.0], [2], [3], [np.inf]]))
