"""A video that no cluster took, from the clusterer's -1 to the triplets of a batch."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.datasets.label_store import PseudoLabelStore
from slic_mmaction.losses import PseudoLabelTripletLoss, mine_negatives
from slic_mmaction.losses.mining import positive_pairs
from slic_mmaction.losses.triplet import isolate_noise

LABELS = st.lists(st.integers(-1, 3), min_size=1, max_size=12)


@given(labels=LABELS)
@settings(deadline=None, max_examples=100)
def test_a_noise_video_is_a_positive_of_itself_and_a_negative_of_all_others(labels):
    videos = len(labels)
    flat = isolate_noise(torch.tensor(labels)).repeat(2)  # anchors, then positives
    pairs = positive_pairs(flat)
    mined = mine_negatives(torch.rand(2 * videos, 2 * videos), flat, 0.2)
    for i, j in itertools.combinations(range(2 * videos), 2):
        a, b = i % videos, j % videos
        mates = a == b or (labels[a] == labels[b] and labels[a] != -1)
        assert pairs[i, j] == mates
    for i in range(2 * videos):
        others = [labels[v] != labels[i % videos] for v in range(videos)]
        if labels[i % videos] == -1:
            others = [v != i % videos for v in range(videos)]
        assert mined.available[i] == 2 * sum(others)


@given(labels=LABELS, index=st.integers(0, 11))
@settings(deadline=None, max_examples=100)
def test_a_noise_video_is_nobodys_positive(labels, index):
    store = PseudoLabelStore(len(labels))
    store.update(labels)
    index %= len(labels)
    drawn = {store.draw_positive(index) for _ in range(20)}
    assert drawn == {index} if labels[index] == -1 else all(labels[m] != -1 for m in drawn)


def test_the_loss_of_a_batch_of_noise_videos_by_hand():
    embeddings = torch.randn(5, 2, 8, generator=torch.Generator().manual_seed(0))
    embeddings.requires_grad_()
    module = PseudoLabelTripletLoss(margin=0.5, mining="hardest_violating")
    output = module(embeddings, torch.full((5,), -1))
    flat = torch.nn.functional.normalize(embeddings.transpose(0, 1).flatten(0, 1), dim=1)
    distances = 1 - flat @ flat.t()
    terms = []
    for video in range(5):
        others = [i for i in range(10) if i % 5 != video]
        negative = distances[video, others].min()
        terms.append((distances[video, video + 5] - negative + 0.5).relu())
    assert output["triplets"] == 5
    assert output["loss_triplet"].item() == pytest.approx(torch.stack(terms).mean().item())
    output["loss_triplet"].backward()
    assert embeddings.grad.abs().sum() > 0
