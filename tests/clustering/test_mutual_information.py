from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.metrics.cluster import expected_mutual_information as sklearn_expected

from slic_mmaction.clustering import mutual_information
from slic_mmaction.clustering.mutual_information import (
    expected_mutual_information,
    mutual_information_scores,
)

pytestmark = pytest.mark.filterwarnings("ignore:The number of unique classes")


def brute_force(rows: list[int], columns: list[int]) -> float:
    """The sum over all pairs and overlaps, with exact probabilities and digits to spare."""
    total, expected = sum(rows), 0.0
    for a in rows:
        for b in columns:
            for n in range(max(1, a + b - total), min(a, b) + 1):
                ways = math.comb(a, n) * math.comb(total - a, b - n)
                share = Fraction(ways * n, math.comb(total, b) * total)
                expected += float(share) * math.log(total * n / (a * b))
    return expected


def table_of(x: np.ndarray, y: np.ndarray):
    return contingency_matrix(x, y, sparse=True)


def sizes_of(table) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(table.sum(1)).ravel(), np.asarray(table.sum(0)).ravel()


@given(n=st.integers(1, 60), k=st.integers(1, 60), m=st.integers(1, 60), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_expectation_is_the_plain_sum(n, k, m, seed):
    rng = np.random.default_rng(seed)
    rows, columns = sizes_of(table_of(rng.integers(k, size=n), rng.integers(m, size=n)))
    expected = brute_force(rows.tolist(), columns.tolist())
    found = expected_mutual_information(rows, columns)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert found == pytest.approx(expected_mutual_information(columns, rows), rel=1e-13, abs=1e-15)


@given(
    n=st.integers(2, 3000), k=st.integers(1, 3000), m=st.integers(1, 40), seed=st.integers(0, 2**31)
)
@settings(deadline=None, max_examples=40)
def test_equal_to_scikit_learn(n, k, m, seed):
    rng = np.random.default_rng(seed)
    # Squared: from singletons to clusters of a good share of the points.
    x, y = (k * rng.random(n) ** 2).astype(int), rng.integers(m, size=n)
    table = table_of(x, y)
    rows, columns = sizes_of(table)
    if len(rows) > 1 < len(columns):
        # scikit-learn's own rounding grows with N log N.
        assert expected_mutual_information(rows, columns) == pytest.approx(
            sklearn_expected(table, n), rel=1e-9
        )
    nmi, ami = mutual_information_scores(table)
    assert nmi == pytest.approx(normalized_mutual_info_score(x, y), rel=1e-9, abs=1e-12)
    if len(set(y)) < n:  # two sets of singletons have a test of their own
        assert ami == pytest.approx(adjusted_mutual_info_score(x, y), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("sizes", [(500, 500), (1, 999), (999, 1), (300, 700)])
def test_wide_overlaps_are_cut_without_harm(sizes):
    """Thousands of possible overlaps, of which only those that can happen are summed."""
    expected = brute_force(list(sizes), [400, 600])
    found = expected_mutual_information(np.array(sizes), np.array([400, 600]))
    assert found == pytest.approx(expected, rel=1e-12)


def test_two_halves_of_a_million_by_the_chi_squared_limit():
    # 2 N MI is chi-squared with one degree of freedom, whose mean is 1 (up to 1/N).
    half = np.array([500_000, 500_000])
    assert 2e6 * expected_mutual_information(half, half) == pytest.approx(1, rel=1e-5)


def test_blocks_do_not_change_the_sum(monkeypatch):
    rng = np.random.default_rng(3)
    rows = np.r_[1, 1, 2, 3, 40, 300, rng.integers(1, 30, 20)]
    columns = np.r_[200, 146 + rows[6:].sum(), 1]
    whole = expected_mutual_information(rows, columns)
    monkeypatch.setattr(mutual_information, "_BLOCK_ELEMENTS", 7)
    assert expected_mutual_information(rows, columns) == pytest.approx(whole, rel=1e-14)


@pytest.mark.parametrize(
    ("x", "y", "nmi", "ami"),
    [
        ([0], [3], 1, 1),
        ([0, 0, 0], [1, 1, 1], 1, 1),  # one cluster on both sides
        ([0, 1, 2, 3], [7, 5, 4, 6], 1, 1),  # singletons on both sides: the same partition
        ([0, 0, 1, 2, 2], [5, 5, 3, 4, 4], 1, 1),
        ([0, 0, 0, 0], [0, 0, 1, 1], 0, 0),  # one cluster against two
        ([0, 0, 0], [0, 1, 2], 0, 0),  # one cluster against singletons
        ([0, 1, 2, 3], [0, 0, 1, 1], 2 / 3, 0),  # I = H(y) = ln 2, H(x) = ln 4
    ],
)
def test_extremes_are_exact(x, y, nmi, ami):
    for first, second in ((x, y), (y, x)):
        scores = mutual_information_scores(table_of(np.array(first), np.array(second)))
        assert scores == (pytest.approx(nmi, rel=1e-14), ami)


def test_independent_partitions_score_nothing():
    rng = np.random.default_rng(0)
    nmi, ami = mutual_information_scores(
        table_of(rng.integers(60_000, size=240_000), rng.integers(400, size=240_000))
    )
    assert nmi > 0.5 and abs(ami) < 1e-3
