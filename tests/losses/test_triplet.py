from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS

from slic_mmaction.losses import (
    PseudoLabelTripletLoss,
    mine_negatives,
    pairwise_distance,
    pseudo_label_info_nce,
    pseudo_label_triplet_loss,
)
from slic_mmaction.losses.triplet import isolate_noise

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "loss.npz")
CASES = [
    f"{name}/{metric}"
    for name in ("clustered", "easy", "onelabel")
    for metric in ("cosine", "euclidean")
]
MARGIN = 0.2


def golden_inputs(case: str) -> tuple[torch.Tensor, torch.Tensor, str]:
    name, metric = case.split("/")
    embeddings = torch.from_numpy(GOLDEN[f"{name}/embeddings"]).float()
    return embeddings, torch.from_numpy(GOLDEN[f"{name}/labels"]), metric


def triplets_of(mined) -> set[tuple[int, int, int]]:
    return {(i, j, int(mined.negatives[i, j])) for i, j in mined.pairs.nonzero().tolist()}


@pytest.mark.parametrize("loss", [pseudo_label_triplet_loss, pseudo_label_info_nce])
def test_labels_may_be_a_tensor_an_array_or_a_list(loss):
    embeddings = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    values = []
    for same in (labels, labels.numpy(), labels.tolist()):
        torch.manual_seed(0)
        values.append(float(loss(embeddings, same)))
    assert values[0] == values[1] == values[2] > 0
    with pytest.raises(ValueError, match=r"\(8, 4\) and \(7,\)"):
        loss(embeddings, labels.tolist()[1:])


@pytest.mark.parametrize("case", CASES)
def test_distances_candidates_and_hardest_triplets_of_the_authors_code(case):
    x, labels, metric = golden_inputs(case)
    distances = pairwise_distance(x, x, metric)
    np.testing.assert_allclose(distances, GOLDEN[f"{case}/dist_matrix"], atol=2e-6)
    mined = mine_negatives(distances, labels, MARGIN)
    pairs = GOLDEN[f"{case}/random/pairs"]
    assert set(map(tuple, mined.pairs.nonzero().tolist())) == set(map(tuple, pairs.tolist()))
    i, j = torch.from_numpy(pairs).t()
    candidates = GOLDEN[f"{case}/random/candidates"]
    np.testing.assert_array_equal(mined.violating[i, j], candidates.sum(1))
    fallback = GOLDEN[f"{case}/random/fallback"]
    np.testing.assert_array_equal(
        mined.negatives[i, j].numpy()[fallback],
        GOLDEN[f"{case}/random/fallback_neg_mapped"][fallback],
    )

    mined = mine_negatives(distances, labels, MARGIN, "hardest_violating")
    assert int(mined.pairs.sum()) == int(GOLDEN[f"{case}/fixed/n_triplets"])
    # Their index bug changes the triplets of pairs that no negative violates.
    falls_back = set(map(tuple, pairs[fallback].tolist()))
    theirs = {
        (a, p, n)
        for a, p, n in GOLDEN[f"{case}/fixed/triplets_ref"].T.tolist()
        if (a, p) not in falls_back
    }
    assert {t for t in triplets_of(mined) if t[:2] not in falls_back} == theirs


def test_gradient_of_the_authors_code_where_their_bug_changes_nothing():
    # easy/euclidean: pairs that fall back cost 0 under either negative.
    x, labels, metric = golden_inputs("easy/euclidean")
    x.requires_grad_()
    loss = pseudo_label_triplet_loss(x, labels, MARGIN, "hardest_violating", metric)
    loss.backward()
    assert loss.item() == pytest.approx(float(GOLDEN["easy/euclidean/fixed/loss"]), abs=1e-6)
    np.testing.assert_allclose(x.grad, GOLDEN["easy/euclidean/fixed/grad"], atol=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(
    size=st.integers(2, 24),
    clusters=st.integers(1, 6),
    dim=st.integers(2, 6),
    margin=st.sampled_from([0.04, 0.2, 1.0]),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=25)
def test_hardest_loss_matches_a_plain_loop(metric, size, clusters, dim, margin, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, dim, dtype=torch.float64, generator=generator)
    labels = torch.randint(-1, clusters, (size,), generator=generator)
    distances = pairwise_distance(x, x, metric)
    terms = []
    for i, j in itertools.combinations(range(size), 2):
        others = distances[i][labels != labels[i]]
        if labels[i] == labels[j] and labels[i] >= 0 and others.numel():
            terms.append(max(0.0, float(distances[i, j] - others.min()) + margin))
    loss = pseudo_label_triplet_loss(x, labels, margin, "hardest_violating", metric)
    assert loss.item() == pytest.approx(np.mean(terms) if terms else 0.0, abs=1e-12)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("mining", ["random_violating", "hardest_violating", "random"])
def test_gradcheck(mining, metric):
    x = torch.randn(
        8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    ).requires_grad_()
    labels = torch.tensor([0, 1, 2, 0, 0, 1, 2, -1])

    def loss(x: torch.Tensor) -> torch.Tensor:
        return pseudo_label_triplet_loss(
            x, labels, 0.5, mining, metric, torch.Generator().manual_seed(0)
        )

    assert loss(x).item() > 0
    assert torch.autograd.gradcheck(loss, (x,))


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3], [-1, -1, -1, -1], []])
def test_without_triplets_zero_with_a_gradient(labels):
    x = torch.randn(len(labels), 8, requires_grad=True)
    loss = pseudo_label_triplet_loss(x, torch.tensor(labels, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_module_pairs_views_and_labels_rightly():
    embeddings = torch.randn(6, 3, 8, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1, -1, -1])
    module = MODELS.build(
        dict(type="PseudoLabelTripletLoss", mining="hardest_violating", loss_weight=3.0)
    )
    output = module(embeddings, labels)
    flat = torch.cat((embeddings[:, 0], embeddings[:, 1])).detach()
    # The two noise videos are positives of themselves and negatives of each other.
    both = torch.tensor([0, 0, 1, 1, 2, 3]).repeat(2)
    expected = pseudo_label_triplet_loss(flat, both, mining="hardest_violating")
    assert output["loss_triplet"].item() == pytest.approx(3 * expected.item(), rel=1e-6)
    assert output["loss_triplet"].requires_grad

    distances = pairwise_distance(flat, flat)
    pairs = [(i, j) for i, j in itertools.combinations(range(12), 2) if both[i] == both[j]]
    negatives = [distances[i][both != both[i]] for i, _ in pairs]
    share = [
        float((d < distances[i, j] + 0.2).float().mean()) for (i, j), d in zip(pairs, negatives)
    ]
    assert output["triplets"].item() == len(pairs) == 6 + 6 + 1 + 1
    assert output["violating_share"].item() == pytest.approx(np.mean(share), abs=1e-6)
    assert output["positive_distance"].item() == pytest.approx(
        np.mean([float(distances[p]) for p in pairs]), abs=1e-6
    )
    assert output["negative_distance"].item() == pytest.approx(
        np.mean([float(d.min()) for d in negatives]), abs=1e-6
    )


@given(labels=st.lists(st.integers(-1, 3), min_size=1, max_size=12))
@settings(deadline=None, max_examples=40)
def test_a_noise_video_is_a_positive_of_itself_and_a_negative_of_all_others(labels):
    videos = len(labels)
    flat = isolate_noise(torch.tensor(labels)).repeat(2)  # anchors, then positives
    mined = mine_negatives(torch.rand(2 * videos, 2 * videos), flat, 0.2)
    pairs = mined.pairs.tolist()
    for i in range(2 * videos):
        others = [labels[v] != labels[i % videos] for v in range(videos)]
        if labels[i % videos] == -1:
            others = [v != i % videos for v in range(videos)]
        assert mined.available[i] == 2 * sum(others)
        for j in range(i + 1, 2 * videos):
            assert pairs[i][j] == (any(others) and not others[j % videos])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="'easy'"):
        PseudoLabelTripletLoss(mining="easy")
    with pytest.raises(ValueError, match=r"labels \(M,\)"):
        pseudo_label_triplet_loss(torch.randn(4, 8), torch.zeros(3, dtype=torch.long))
