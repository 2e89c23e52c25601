from __future__ import annotations

import numpy as np
import pytest

from slic_mmaction.evaluation import recall_per_class
from slic_mmaction.evaluation.per_class import per_class_table

HITS = np.array([[1, 0], [0, 0], [0, 1], [0, 0], [0, 1]], dtype=bool)
LABELS = np.array([4, 4, 7, 0, 7])


def test_each_class_by_its_own_queries() -> None:
    assert recall_per_class(HITS, LABELS, [1, 2]) == {
        0: {1: 0, 2: 0},
        4: {1: 0.5, 2: 0.5},
        7: {1: 0, 2: 1},
    }


def test_weighted_by_queries_it_is_the_recall() -> None:
    table = per_class_table(HITS, LABELS, np.array(list("abcde")), [1, 2])
    for k in (1, 2):
        mean = sum(row["queries"] * row[f"R@{k}"] for row in table) / len(LABELS)
        assert mean == pytest.approx(100 * HITS[:, :k].any(1).mean())
    assert [row["label"] for row in table] == [0, 7, 4]
    assert table[1] == {"label": 7, "example": "c", "queries": 2, "R@1": 0, "R@2": 100}
