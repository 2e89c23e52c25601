from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from slic_mmaction.losses import mine_negatives
from slic_mmaction.losses.mining import STRATEGIES


def candidates_of(distances, labels, margin, strategy, i, j):
    """The negatives that a draw for pair (i, j) may return, by a plain loop."""
    negatives = [n for n in range(len(labels)) if labels[n] != labels[i]]
    closest = min(distances[i, n] for n in negatives)
    nearest = {n for n in negatives if distances[i, n] == closest}
    if strategy == "random":
        return set(negatives), len(negatives)
    violating = {n for n in negatives if distances[i, n] < distances[i, j] + margin}
    if strategy == "hardest_violating" or not violating:
        return nearest, len(violating)
    return violating, len(violating)


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_negatives_come_from_the_candidates_of_a_plain_loop(strategy, data):
    size = data.draw(st.integers(1, 12))
    labels = torch.tensor(data.draw(st.lists(st.integers(-2, 3), min_size=size, max_size=size)))
    # A coarse grid makes ties and distances of exactly d(i, j) + margin frequent.
    grid = data.draw(st.lists(st.integers(0, 8), min_size=size * size, max_size=size * size))
    distances = torch.tensor(grid).view(size, size) / 4
    mined = mine_negatives(distances, labels, 0.25, strategy)
    names = labels.tolist()
    for i in range(size):
        for j in range(size):
            has_negative = any(name != names[i] for name in names)
            is_pair = i < j and names[i] == names[j] >= 0 and has_negative
            assert bool(mined.pairs[i, j]) == is_pair
            if not is_pair:
                continue
            allowed, violating = candidates_of(distances, names, 0.25, strategy, i, j)
            assert int(mined.negatives[i, j]) in allowed
            if strategy != "random":
                assert int(mined.violating[i, j]) == violating
            assert int(mined.available[i]) == sum(name != names[i] for name in names)


@pytest.mark.parametrize(("strategy", "drawn"), [("random_violating", 6), ("random", 10)])
def test_draws_are_uniform(strategy, drawn):
    # Anchor 0, positive 1 at distance 0.4; negatives 2..11 at 0.1 .. 1.0, shuffled.
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    distances = torch.zeros(12, 12)
    distances[0, 1] = 0.4
    distances[0, 2:] = 0.1 * (order + 1)
    labels = torch.tensor([0, 0] + [1] * 10)
    generator = torch.Generator().manual_seed(7)
    draws = [
        int(mine_negatives(distances, labels, 0.25, strategy, generator).negatives[0, 1])
        for _ in range(3000)
    ]
    expected = {int(n) + 2 for n in (order < drawn).nonzero()}
    counts = np.bincount(draws, minlength=12)
    assert set(counts.nonzero()[0]) == expected
    assert chisquare(counts[counts > 0]).pvalue > 1e-4


def test_unknown_strategy_is_named():
    with pytest.raises(ValueError, match="'adapted_hard'"):
        mine_negatives(torch.zeros(2, 2), torch.zeros(2), 0.2, "adapted_hard")
