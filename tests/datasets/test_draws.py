from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from slic_mmaction.datasets.draws import sample_seed, seeded_draws


def draw() -> tuple:
    return random.random(), float(np.random.rand()), float(torch.rand(1))


@given(st.integers(0, 2**32), st.integers(0, 10**6), st.integers(0, 10**8))
def test_same_key_same_draws(seed: int, epoch: int, index: int) -> None:
    value = sample_seed(seed, epoch, index)
    assert 0 <= value < 2**63
    with seeded_draws(value):
        first = draw()
    with seeded_draws(value):
        assert draw() == first


def test_each_part_of_the_key_counts() -> None:
    keys = [(s, e, i) for s in range(3) for e in range(10) for i in range(50)]
    assert len({sample_seed(*key) for key in keys}) == len(keys)


def test_callers_generators_are_untouched_even_after_an_error() -> None:
    def seed_all() -> None:
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)

    seed_all()
    expected = draw()
    seed_all()
    with pytest.raises(KeyError), seeded_draws(3):
        draw()
        raise KeyError
    assert draw() == expected
