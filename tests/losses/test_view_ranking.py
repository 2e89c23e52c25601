from __future__ import annotations

import pytest
import torch
from mmaction.registry import MODELS
from torch.nn.functional import cosine_similarity

from slic_mmaction.losses import (
    IntraVideoNegativeLoss,
    RelativeSpeedLoss,
    temporal_discrimination_loss,
)

LOSSES = {"speed": (RelativeSpeedLoss, 0.1, 1.0), "intra": (IntraVideoNegativeLoss, 0.04, 0.4)}


def views(count: int = 4, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(7, count, 5, dtype=dtype, generator=generator)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_by_a_loop_with_the_authors_margin_and_weight(name):
    kind, margin, weight = LOSSES[name]
    embeddings, terms, gaps = views(), [], []
    for anchor, positive, _, far in embeddings:
        near = 1 - float(cosine_similarity(anchor, positive, dim=0))
        gaps.append(1 - float(cosine_similarity(anchor, far, dim=0)) - near)
        terms.append(max(0.0, margin - gaps[-1]))
    assert 0 < sum(term > 0 for term in terms) < 7
    output = kind()(embeddings)
    assert output.keys() == {f"loss_{name}", f"{name}_gap"}
    assert output[f"loss_{name}"].item() == pytest.approx(weight * sum(terms) / 7)
    assert output[f"{name}_gap"].item() == pytest.approx(sum(gaps) / 7, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_it_is_the_temporal_losss_rule_on_other_views(name, metric):
    embeddings = views(5)
    module = MODELS.build(
        dict(type=LOSSES[name][0].__name__, margin=0.3, view=4, metric=metric, loss_weight=2.0)
    )
    anchor, positive, far = embeddings[:, 0], embeddings[:, 1], embeddings[:, 4]
    expected = temporal_discrimination_loss(anchor, positive, far, 0.3, metric)
    torch.testing.assert_close(module(embeddings)[f"loss_{name}"], 2 * expected)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_gradcheck(name, metric):
    module = LOSSES[name][0](margin=0.5, metric=metric)
    embeddings = views(5).requires_grad_()
    assert torch.autograd.gradcheck(lambda e: module(e)[f"loss_{name}"], (embeddings,))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"V > 3, .*\(4, 3, 8\): add 'fast_positive' to the extra"):
        RelativeSpeedLoss()(torch.randn(4, 3, 8))
    with pytest.raises(ValueError, match="add 'shuffled_anchor' to the extra_views"):
        IntraVideoNegativeLoss()(torch.randn(4, 3, 8))
    with pytest.raises(ValueError, match="metric='l1'"):
        RelativeSpeedLoss(metric="l1")
    with pytest.raises(ValueError, match="view=1"):
        IntraVideoNegativeLoss(view=1)
