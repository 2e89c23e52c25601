from __future__ import annotations

import numpy as np
import pytest
import torch

from slic_mmaction.clustering.embeddings import as_matrix, renumber, unit_rows


def test_bad_rows_are_counted_and_the_first_is_named():
    x = np.ones((6, 3))
    x[2, 1], x[5, 0] = np.nan, np.inf
    with pytest.raises(ValueError, match="2 of 6 embeddings have NaN or Inf, the first in row 2"):
        as_matrix(x, "cosine")


@pytest.mark.parametrize("shape", [(4,), (0, 3), (3, 0), (2, 3, 4)])
def test_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"\(N, D\)"):
        as_matrix(np.ones(shape), "cosine")


def test_metric_is_named():
    with pytest.raises(ValueError, match="'l1'"):
        as_matrix(np.ones((2, 2)), "l1")


def test_tensors_are_detached_and_raised_to_float32():
    x = torch.ones(2, 3, dtype=torch.float16, requires_grad=True)
    matrix = as_matrix(x, "cosine")
    assert matrix.dtype == torch.float32 and not matrix.requires_grad


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_unit_rows_at_any_scale(scale):
    x = scale * torch.randn(5, 4)
    x[0] = 0
    lengths = unit_rows(x).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([0.0, 1, 1, 1, 1]))


def test_labels_are_numbered_by_first_appearance():
    assert renumber(np.array([7, 7, 2, 9, 2, 7])).tolist() == [0, 0, 1, 2, 1, 0]
