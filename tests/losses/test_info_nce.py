from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from slic_mmaction.losses import (
    PseudoLabelInfoNCELoss,
    PseudoLabelTripletLoss,
    pseudo_label_info_nce,
)


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def by_loops(x: Tensor, labels: list[int], t: float, more=(), negatives=()) -> float:
    """The formula, term by term."""
    rows = []
    for i in range(len(x)):
        positives = [j for j in range(len(x)) if j != i and labels[j] == labels[i]]
        others = [x[j] for j in range(len(x)) if j != i]
        others += [
            row for row, is_negative in zip(more, negatives[i] if more else []) if is_negative
        ]
        total = sum(torch.exp(cosine_similarity(x[i], other, dim=0) / t) for other in others)
        logs = [
            torch.log(torch.exp(cosine_similarity(x[i], x[p], dim=0) / t) / total)
            for p in positives
        ]
        if positives:
            rows.append(-sum(logs) / len(positives))
    return float(sum(rows) / len(rows)) if rows else 0.0


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=9),
    st.sampled_from([0.07, 0.1, 0.5, 1.0]),
    st.integers(0, 4),
    st.integers(0, 99),
)
@settings(deadline=None, max_examples=40)
def test_loss_by_loops(labels, temperature, count, seed):
    x, more = random(len(labels), 3, seed=seed), random(count, 3, seed=seed + 100)
    negatives = random(len(labels), count, seed=seed + 200) > 0
    further = (more, negatives) if count else ()
    loss = pseudo_label_info_nce(x, torch.tensor(labels), temperature, *further)
    expected = by_loops(x, labels, temperature, list(more), negatives.tolist())
    assert loss.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_with_every_video_its_own_label_it_is_nt_xent():
    """A cross-entropy that knows nothing of labels: row i's target is its other view."""
    views = random(2, 6, 5)
    flat = normalize(views.flatten(0, 1), dim=1)
    logits = (flat @ flat.t()).fill_diagonal_(-torch.inf) / 0.2
    expected = cross_entropy(logits, (torch.arange(12) + 6) % 12)
    loss = pseudo_label_info_nce(views.flatten(0, 1), torch.arange(6).repeat(2), 0.2)
    torch.testing.assert_close(loss, expected)


def test_gradcheck():
    x = random(6, 4).requires_grad_()
    labels = torch.tensor([0, 1, 0, 2, 0, 1])
    assert torch.autograd.gradcheck(lambda e: pseudo_label_info_nce(e, labels, 0.3), (x,))
    more, negatives = random(5, 4, seed=1), random(6, 5, seed=2) > 0
    assert torch.autograd.gradcheck(
        lambda e: pseudo_label_info_nce(e, labels, 0.3, more, negatives), (x,)
    )


@pytest.mark.parametrize("count", [1, 4])
def test_without_a_pair_it_is_zero_with_a_gradient_of_zeros(count):
    x = random(count, 4).requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        loss = pseudo_label_info_nce(x, torch.arange(count))
        loss.backward()
    assert loss.item() == 0 and torch.equal(x.grad, torch.zeros_like(x))


def test_a_low_temperature_and_large_or_zero_embeddings_stay_finite():
    x = torch.cat((1e15 * torch.randn(6, 8), torch.zeros(2, 8))).requires_grad_()
    loss = pseudo_label_info_nce(x, torch.arange(8) // 2, temperature=1e-3)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(x.grad).all()


def test_module_contrasts_anchors_with_positives_and_no_other_view():
    embeddings = random(5, 4, 8).float()
    labels = torch.tensor([3, 1, 3, -1, -1])
    module = MODELS.build(dict(type="PseudoLabelInfoNCELoss", temperature=0.2, loss_weight=2.0))
    output = module(embeddings, labels)
    flat = torch.cat((embeddings[:, 0], embeddings[:, 1])).double()
    # The two noise videos are positives of themselves and negatives of each other.
    pairs = [3, 1, 3, 10, 11] * 2
    assert output["loss_info_nce"].item() == pytest.approx(2 * by_loops(flat, pairs, 0.2), rel=1e-5)
    assert output["positives"].item() == pytest.approx((4 * 3 + 6 * 1) / 10)
    similarity = cosine_similarity(flat[:, None], flat[None], dim=-1).fill_diagonal_(-1)
    first = [pairs[i] == pairs[j] for i, j in enumerate(similarity.argmax(1).tolist())]
    assert output["positive_first"].item() == pytest.approx(sum(first) / 10)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="temperature above 0, but got 0"):
        PseudoLabelInfoNCELoss(temperature=0)
    for kind in (PseudoLabelInfoNCELoss, PseudoLabelTripletLoss):
        with pytest.raises(ValueError, match=r"Loss needs .* a positive view.*\(4, 1, 8\)"):
            kind()(torch.randn(4, 1, 8), torch.arange(4))
        with pytest.raises(ValueError, match=r"one label per video.*\(3,\) for 4 videos"):
            kind()(torch.randn(4, 2, 8), torch.arange(3))
    with pytest.raises(ValueError, match=r"embeddings \(M, D\) and labels"):
        pseudo_label_info_nce(torch.randn(4, 8), torch.arange(3))
    with pytest.raises(ValueError, match=r"negative_mask of shape \(4, 3\).* but got None"):
        pseudo_label_info_nce(torch.randn(4, 8), torch.arange(4), negatives=torch.randn(3, 8))
