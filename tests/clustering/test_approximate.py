from __future__ import annotations

import re
import sys

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from slic_mmaction.clustering import approximate, first_neighbors
from slic_mmaction.clustering.approximate import approximate_neighbors
from slic_mmaction.clustering.prepared_rows import PreparedRows

pytest.importorskip("faiss", reason="faiss is optional")


@pytest.fixture
def log(monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(
        MMLogger.get_current_instance(), "log", lambda level, message: lines.append(message)
    )
    return lines


def points(n=6000, dim=16):
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((n // 20, dim))
    x = centers[rng.integers(len(centers), size=n)] + 0.3 * rng.standard_normal((n, dim))
    return x.astype(np.float32)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_logged_recall_is_that_of_all_points(metric, log):
    x = points()
    exact = first_neighbors(x, metric)
    assert log == []
    found = first_neighbors(x, metric, approximate_above=5999)
    recall = (found == exact).mean()
    assert (found != np.arange(len(x))).all()
    said = float(re.search(r"sample of 1000, ([\d.]+)% have their exact", log[0]).group(1)) / 100
    assert said >= 0.99
    # Three standard errors of a share of about 0.99 in a sample of 1,000.
    assert recall == pytest.approx(said, abs=0.011)


def test_more_cells_are_searched_until_the_recall_is_reached(log, monkeypatch):
    # Points without structure are the hardest: neighbours lie in any cell.
    x = np.random.default_rng(0).standard_normal((3000, 32)).astype(np.float32)
    approximate_neighbors(PreparedRows(torch.from_numpy(x), "cosine"))
    monkeypatch.setattr(approximate, "_RECALL", 0.5)
    approximate_neighbors(PreparedRows(torch.from_numpy(x), "cosine"))
    many, few = (int(re.search(r"(\d+) of \d+ cells", line).group(1)) for line in log)
    assert many > few


def test_points_at_or_below_the_limit_are_searched_exactly(log):
    x = points(200)
    np.testing.assert_array_equal(first_neighbors(x, approximate_above=200), first_neighbors(x))
    assert log == []


def test_a_point_alone_in_its_cell_gets_its_neighbour(monkeypatch):
    x = torch.cat((torch.randn(100, 4) * 0.01, torch.full((1, 4), 50.0), torch.zeros(1, 4)))
    found = approximate_neighbors(PreparedRows(x, "euclidean"))
    np.testing.assert_array_equal(found, first_neighbors(x, "euclidean"))


def test_two_points():
    assert approximate_neighbors(PreparedRows(torch.randn(2, 3), "cosine")).tolist() == [1, 0]


def test_without_faiss_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="set it to None"):
        first_neighbors(points(100), approximate_above=50)
