from __future__ import annotations

from collections import Counter
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from slic_mmaction.datasets import PseudoLabelStore


@given(st.lists(st.integers(-1, 5), min_size=1, max_size=30), st.integers(0, 1000))
def test_positives_are_others_of_the_cluster_and_never_noise(labels: list, seed: int) -> None:
    store = PseudoLabelStore(len(labels))
    assert store.labels.tolist() == list(range(len(labels))), "each video is a cluster at first"
    assert [store.draw_positive(i) for i in range(len(labels))] == store.labels.tolist()
    store.update(labels)
    np.random.seed(seed)
    for i, label in enumerate(labels):
        positive = store.draw_positive(i)
        assert labels[positive] == label
        alone = labels.count(label) == 1 or label == -1
        assert (positive == i) == alone


def test_positives_are_uniform() -> None:
    store = PseudoLabelStore(6)
    store.update([7, 3, 7, 7, -1, 7])
    np.random.seed(0)
    counts = Counter(store.draw_positive(2) for _ in range(3000))
    assert set(counts) == {0, 3, 5}
    assert sum((c - 1000) ** 2 / 1000 for c in counts.values()) < 13.8  # 2 dof, p = 0.001


def _read(store: PseudoLabelStore, start, done, out) -> None:
    for _ in range(2):
        start.get(timeout=600)
        out.put((store.labels.tolist(), store.epoch, store.seed))
    done.get(timeout=600)


def test_a_running_process_sees_updates() -> None:
    context = torch.multiprocessing.get_context("fork")
    store = PseudoLabelStore(3)
    # What a worker started by "spawn" is given.
    sent = ForkingPickler.loads(ForkingPickler.dumps(store))
    start, done, out = context.Queue(), context.Queue(), context.Queue()
    process = context.Process(target=_read, args=(store, start, done, out))
    process.start()
    start.put(0)
    assert out.get(timeout=600) == ([0, 1, 2], 0, 0)
    store.update([4, 4, -1])
    store.start_epoch(seed=9, epoch=5)
    start.put(0)
    assert out.get(timeout=600) == ([4, 4, -1], 5, 9)
    assert (sent.labels.tolist(), sent.epoch, sent.seed) == ([4, 4, -1], 5, 9)
    done.put(0)
    process.join()


def test_bad_labels_are_refused_and_the_old_ones_stay() -> None:
    store = PseudoLabelStore(3)
    for labels, message in (
        ([0, 1], "must be 3 integers"),
        ([0.0, 1.0, 2.0], "must be 3 integers"),
        ([0, 1, -2], r"-1 \(noise\) or more, but one is -2"),
    ):
        with pytest.raises(ValueError, match=message):
            store.update(np.array(labels))
    assert store.labels.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="training set is empty"):
        PseudoLabelStore(0)
