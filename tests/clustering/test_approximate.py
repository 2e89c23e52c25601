from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from slic_mmaction.clustering import approximate, first_neighbors
from slic_mmaction.clustering.approximate import approximate_neighbors
from slic_mmaction.clustering.cells import cells_of_clusters, cells_of_rows
from slic_mmaction.clustering.prepared_rows import PreparedRows


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


def test_points_without_structure_take_more_rounds_and_a_shortfall_is_said(log, monkeypatch):
    # Neighbours lie in any cell: the hardest case.
    x = PreparedRows(torch.randn(3000, 32, generator=torch.Generator().manual_seed(0)), "cosine")
    monkeypatch.setattr(approximate, "_MAX_ROUNDS", 5)
    approximate_neighbors(x)
    assert "after 5 rounds" in log[0]
    assert float(re.search(r"([\d.]+)% have", log[0]).group(1)) < 99


def test_points_at_or_below_the_limit_are_searched_exactly(log):
    x = points(200)
    np.testing.assert_array_equal(first_neighbors(x, approximate_above=200), first_neighbors(x))
    assert log == []


def test_points_alone_in_every_cell_get_their_neighbour(monkeypatch):
    monkeypatch.setattr(approximate, "_MAX_ROUNDS", 1)
    monkeypatch.setattr(approximate, "cells_of_rows", lambda rows, _: torch.arange(40).split(1))
    x = torch.randn(40, 3)
    found = approximate_neighbors(PreparedRows(x, "euclidean"))
    np.testing.assert_array_equal(found, first_neighbors(x, "euclidean"))


def test_two_points():
    assert approximate_neighbors(PreparedRows(torch.randn(2, 3), "cosine")).tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["all alike", "all zero"])
def test_collapsed_embeddings_do_not_make_one_cell(kind, monkeypatch):
    sizes = []
    search = approximate._Found.search
    monkeypatch.setattr(
        approximate._Found,
        "search",
        lambda self, cell: (sizes.append(len(cell)), search(self, cell)),
    )
    x = torch.zeros(4000, 3) if kind == "all zero" else torch.ones(4000, 3)
    found = approximate_neighbors(PreparedRows(x, "cosine"))
    assert (found != np.arange(4000)).all() and (found >= 0).all()
    assert max(sizes) <= 4 * round(4000**0.5) + 4


def test_every_row_is_in_one_cell():
    rows = PreparedRows(torch.randn(500, 4), "euclidean")
    generator = torch.Generator().manual_seed(0)
    labels = np.arange(500) // 7
    for cells in (cells_of_rows(rows, generator), cells_of_clusters(rows, labels, generator)):
        assert torch.cat(cells).sort().values.tolist() == list(range(500))
    whole = {label: set() for label in labels}
    for number, cell in enumerate(cells):
        for row in cell.tolist():
            whole[labels[row]].add(number)
    # Clusters stay whole, but where a cell was cut.
    assert sum(len(where) > 1 for where in whole.values()) <= len(cells)
