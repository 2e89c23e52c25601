from __future__ import annotations

import pytest
import torch

from slic_mmaction.models import pool_clips


def test_forms_of_backbone_output() -> None:
    volume = torch.randn(3, 5, 2, 4, 4)
    vector = torch.randn(3, 7)
    expected = torch.stack([volume[n].reshape(5, -1).mean(1) for n in range(3)])
    torch.testing.assert_close(pool_clips(volume), expected)
    assert pool_clips(vector) is vector
    pathways = pool_clips((volume, torch.ones(3, 2, 1, 1, 1)))
    torch.testing.assert_close(pathways, torch.cat([expected, torch.ones(3, 2)], dim=1))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.zeros(2, 3, 4), r"returned a tensor of shape \(2, 3, 4\)"),
        ([[torch.zeros(2, 3)]], r"list of \(a list of \(a tensor of shape \(2, 3\)\)\)"),
        (None, "returned a NoneType"),
        ([], r"a list of \(\)"),
    ],
)
def test_unknown_forms_are_described(features: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pool_clips(features)
