from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS

from slic_mmaction.losses import (
    TemporalDiscriminationLoss,
    paired_distance,
    temporal_discrimination_loss,
)

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "loss.npz")
METRICS = ["cosine", "euclidean"]


@pytest.mark.parametrize("metric", METRICS)
def test_loss_distances_and_gradients_of_the_authors_code(metric):
    anchor, anchor_view, positive = (
        torch.from_numpy(GOLDEN[f"td_a/{name}"]).float().requires_grad_()
        for name in ("anchor", "anchor2", "positive")
    )
    golden = {
        key.split("/")[-1]: GOLDEN[key] for key in GOLDEN.files if key.startswith(f"td_a/{metric}/")
    }
    np.testing.assert_allclose(
        paired_distance(anchor, anchor_view, metric).detach(),
        golden["dist_anchor_anchor2"],
        atol=1e-5,
    )
    np.testing.assert_allclose(
        paired_distance(anchor, positive, metric).detach(),
        golden["dist_anchor_positive"],
        atol=1e-5,
    )
    loss = temporal_discrimination_loss(anchor, anchor_view, positive, 0.04, metric)
    loss.backward()
    assert loss.item() == pytest.approx(float(golden["loss"]), rel=1e-5)
    for tensor, name in ((anchor, "anchor"), (anchor_view, "anchor2"), (positive, "positive")):
        np.testing.assert_allclose(tensor.grad, golden[f"grad_{name}"], atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_gradcheck(metric):
    views = torch.randn(
        3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda v: temporal_discrimination_loss(*v.unbind(0), margin=0.5, metric=metric), (views,)
    )


def test_module_reads_the_views_in_the_order_of_the_dataset():
    embeddings = torch.randn(5, 3, 8, requires_grad=True)
    module = MODELS.build(dict(type="TemporalDiscriminationLoss", margin=0.3, loss_weight=2.0))
    output = module(embeddings, torch.zeros(5, dtype=torch.long))
    anchor, positive, anchor_view = embeddings.detach().unbind(1)
    expected = temporal_discrimination_loss(anchor, anchor_view, positive, 0.3)
    assert output["loss_temporal"].item() == pytest.approx(2 * expected.item(), rel=1e-6)
    gap = (paired_distance(anchor, positive) - paired_distance(anchor, anchor_view)).mean()
    assert output["temporal_gap"].item() == pytest.approx(float(gap), abs=1e-6)


def test_missing_view_is_named():
    with pytest.raises(ValueError, match="second anchor view"):
        TemporalDiscriminationLoss()(torch.randn(4, 2, 8))
    with pytest.raises(ValueError, match="'l1'"):
        TemporalDiscriminationLoss(metric="l1")
