from __future__ import annotations

import io
from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS

from slic_mmaction.losses import PseudoLabelInfoNCELoss, pseudo_label_info_nce
from slic_mmaction.losses.embedding_queue import EmbeddingQueue

LABELS = torch.tensor([0, 0, 1, 1, 2])


def queue(size: int, channels: int) -> EmbeddingQueue:
    made = EmbeddingQueue(size, channels)
    made.use_labels(LABELS)
    return made


def content(memory: EmbeddingQueue) -> list[tuple]:
    """What it holds, the oldest first."""
    size = len(memory.labels)
    rows = [(int(memory.next_slot) + k) % size for k in range(size)]
    return [
        (*memory.embeddings[row].tolist(), int(memory.labels[row]))
        for row in rows
        if memory.labels[row] != -2
    ]


@given(st.integers(1, 7), st.lists(st.integers(1, 10), max_size=8))
@settings(deadline=None, max_examples=50)
def test_it_is_a_deque(size, batches):
    memory, expected = queue(size, 1), deque(maxlen=size)
    number = 0
    for count in batches:
        rows = range(number, number + count)
        number += count
        memory.push(torch.tensor(rows)[:, None].float(), torch.tensor([r % 3 for r in rows]))
        expected.extend((float(row), row % 3) for row in rows)
        assert content(memory) == list(expected)


@given(
    st.lists(st.integers(-1, 3), min_size=1, max_size=8),
    st.lists(st.integers(-1, 3), min_size=1, max_size=6),
)
@settings(deadline=None, max_examples=50)
def test_negatives_are_those_of_another_label(stored, asked):
    memory = queue(5, 2)
    memory.push(torch.randn(len(stored), 2), torch.tensor(stored))
    _, mask = memory.negatives(torch.randn(len(asked), 2), torch.tensor(asked))
    for i, label in enumerate(asked):
        expected = [entry != -2 and entry != label for entry in memory.labels.tolist()]
        assert mask[i].tolist() == expected


def test_other_labels_empty_it_and_the_same_ones_do_not():
    memory = queue(4, 2)
    memory.push(torch.randn(3, 2), torch.tensor([0, 1, 2]))
    before = content(memory)
    memory.use_labels(LABELS.clone())
    assert content(memory) == before and len(before) == 3
    # The same partition under other names is other labels, too.
    memory.use_labels(torch.tensor([1, 1, 0, 0, 2]))
    assert content(memory) == [] and memory.next_slot == 0
    assert not memory.negatives(torch.randn(2, 2), torch.tensor([0, 1]))[1].any()


@pytest.mark.parametrize("ranks", [2, 3, 7, 100, 4096])
def test_mmengines_mean_over_ranks_leaves_it_alone(ranks):
    """SyncBuffersHook divides sums of integers in float32; ranks hold the same queue."""
    memory = queue(40, 1)
    labels = torch.randint(2**36 - 2, (40,), generator=torch.Generator().manual_seed(ranks))
    memory.push(torch.zeros(40, 1), labels)
    for buffer in memory.buffers():
        if not buffer.is_floating_point():
            buffer.copy_(torch.true_divide(buffer * ranks, ranks))
    assert torch.equal(memory.labels, labels)
    memory.use_labels(LABELS)
    assert torch.equal(memory.labels, labels)


def loss_with_queue(size: int = 6, channels: int = 4) -> PseudoLabelInfoNCELoss:
    made = MODELS.build(
        dict(type="PseudoLabelInfoNCELoss", temperature=0.3, queue_size=size, channels=channels)
    )
    made.queue.use_labels(LABELS)
    return made


def batch(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    videos = torch.randperm(5, generator=generator)[:2]
    return torch.randn(2, 3, 4, generator=generator), LABELS[videos]


def test_loss_of_batches_one_after_the_other_by_hand():
    module, past = loss_with_queue(size=6), deque(maxlen=6)
    for number in range(6):
        embeddings, labels = batch(number)
        embeddings.requires_grad_()
        output = module(embeddings, labels)
        flat, flat_labels = torch.cat(embeddings[:, :2].unbind(1)), labels.repeat(2)
        more, negatives = None, None
        if past:
            more = torch.stack([row for row, _ in past])
            negatives = torch.tensor([[int(a) != b for _, b in past] for a in flat_labels])
        expected = pseudo_label_info_nce(flat, flat_labels, 0.3, more, negatives)
        torch.testing.assert_close(output["loss_info_nce"], expected)
        # The batch has entered the queue by now; its gradient is that of before.
        (gradient,) = torch.autograd.grad(output["loss_info_nce"], embeddings, retain_graph=True)
        torch.testing.assert_close(gradient, torch.autograd.grad(expected, embeddings)[0])
        counted = 0.0 if negatives is None else negatives.sum(1).float().mean()
        assert output["queue_negatives"] == pytest.approx(float(counted))
        past.extend(zip(flat.detach(), flat_labels.tolist()))


def test_a_saved_queue_goes_on_as_if_never_saved():
    whole, first = loss_with_queue(), loss_with_queue()
    for number in range(3):
        whole(*batch(number))
        first(*batch(number))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    resumed = PseudoLabelInfoNCELoss(temperature=0.3, queue_size=6, channels=4)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    resumed.queue.use_labels(LABELS)
    for number in range(3, 6):
        ours, theirs = resumed(*batch(number)), whole(*batch(number))
        assert ours == theirs and ours["queue_negatives"] > 0
    assert all(torch.equal(a, b) for a, b in zip(resumed.buffers(), whole.buffers()))


def test_bad_use_is_named():
    with pytest.raises(ValueError, match="at least 1, but got 0 and 8"):
        EmbeddingQueue(0, 8)
    with pytest.raises(RuntimeError, match=r"dict\(type='EmbeddingQueueHook'\)"):
        PseudoLabelInfoNCELoss(queue_size=4)(*batch(0))
    with pytest.raises(ValueError, match="width 9, but got 4: set the loss's channels"):
        loss_with_queue(channels=9)(*batch(0))
