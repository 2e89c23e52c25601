from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from torch.nn.functional import cosine_similarity

from slic_mmaction.losses import (
    IntraVideoNegativeLoss,
    RelativeSpeedLoss,
    TemporalDiscriminationLoss,
    paired_distance,
    temporal_discrimination_loss,
)

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "loss.npz")
METRICS = ["cosine", "euclidean"]
# By name: the loss, the authors' margin and weight, and which views are to be near and far.
LOSSES = {
    "temporal": (TemporalDiscriminationLoss, 0.04, 1.0, 2, 1),
    "speed": (RelativeSpeedLoss, 0.1, 1.0, 1, 3),
    "intra": (IntraVideoNegativeLoss, 0.04, 0.4, 1, 3),
}


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


@pytest.mark.parametrize("name", LOSSES)
def test_modules_by_a_loop_with_the_authors_margin_and_weight(name):
    kind, margin, weight, near, far = LOSSES[name]
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(9, 5, 5, dtype=torch.float64, generator=generator)
    distances = 1 - cosine_similarity(embeddings[:, :1], embeddings, dim=2)
    gaps = (distances[:, far] - distances[:, near]).tolist()
    terms = [max(0.0, margin - gap) for gap in gaps]
    assert 0 < sum(term > 0 for term in terms) < 9
    output = kind()(embeddings)
    assert output.keys() == {f"loss_{name}", f"{name}_gap"}
    assert output[f"loss_{name}"].item() == pytest.approx(weight * np.mean(terms))
    assert output[f"{name}_gap"].item() == pytest.approx(np.mean(gaps), rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("metric", METRICS)
def test_settings_and_gradients(name, metric):
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(7, 5, 5, dtype=torch.float64, generator=generator).requires_grad_()
    kind, _, _, near, far = LOSSES[name]
    config = dict(type=kind.__name__, margin=0.5, metric=metric, loss_weight=2.0)
    if name != "temporal":
        config["view"] = far = 4
    module = MODELS.build(config)
    views = embeddings.unbind(1)
    expected = temporal_discrimination_loss(views[0], views[near], views[far], 0.5, metric)
    torch.testing.assert_close(module(embeddings)[f"loss_{name}"], 2 * expected)
    assert torch.autograd.gradcheck(lambda e: module(e)[f"loss_{name}"], (embeddings,))


def test_bad_input_is_named():
    for name, message in {
        "temporal": r"V > 2, .*\(4, 2, 8\): add the second anchor view",
        "speed": r"V > 3, .*\(4, 2, 8\): add 'fast_positive' to the extra_views",
        "intra": "add 'shuffled_anchor' to the extra_views",
    }.items():
        kind = LOSSES[name][0]
        with pytest.raises(ValueError, match=message):
            kind()(torch.randn(4, 2, 8))
        with pytest.raises(ValueError, match="metric='l1'"):
            kind(metric="l1")
    with pytest.raises(ValueError, match="view=1"):
        IntraVideoNegativeLoss(view=1)
