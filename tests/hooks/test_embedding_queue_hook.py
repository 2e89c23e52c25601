"""Embedding queues know the labels in force, and survive a resume."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from slic_mmaction.datasets import ClusterAwareDataset
from slic_mmaction.hooks import EmbeddingQueueHook
from slic_mmaction.losses import PseudoLabelInfoNCELoss

from ..runs import assert_same, interrupted_at, labels_of, train, video_list


def fake_runner(root: Path, loss: nn.Module) -> SimpleNamespace:
    dataset = ClusterAwareDataset(video_list(root), [])
    return SimpleNamespace(
        train_dataloader=SimpleNamespace(dataset=dataset),
        model=nn.Sequential(nn.Linear(2, 2), loss),
    )


def test_a_queue_lasts_until_the_labels_change(video_set: Path) -> None:
    loss = PseudoLabelInfoNCELoss(queue_size=40, channels=8)
    runner = fake_runner(video_set, loss)
    store = runner.train_dataloader.dataset.store
    hook = EmbeddingQueueHook()
    hook.before_train(runner)
    filled = []
    for epoch, labels in enumerate(([0, 0, 1, 1, 2, 2, 3, 3], None, [0, 0, 0, 1, 1, 1, 2, 2])):
        if labels is not None:
            store.update(labels)
        store.start_epoch(0, epoch)
        hook.before_train_epoch(runner)
        loss(torch.randn(5, 3, 8), store.labels[:5])
        filled.append(int((loss.queue.labels >= 0).sum()))
    assert filled == [10, 20, 10]


def test_bad_use_is_named(video_set: Path) -> None:
    runner = fake_runner(video_set, PseudoLabelInfoNCELoss())
    with pytest.raises(ValueError, match=r"found no embedding queue.*the queue_size"):
        EmbeddingQueueHook().before_train(runner)
    runner.train_dataloader.dataset = [1, 2]
    with pytest.raises(TypeError, match="ClusterAwareDataset, but it is list"):
        EmbeddingQueueHook().before_train(runner)


def test_resume_is_bit_identical_with_the_queue(tiny_config, tmp_path: Path) -> None:
    def run(folder: Path, **options):
        cfg = tiny_config(folder, train_cfg__max_epochs=3, **options)
        cfg.model.cls_head.losses[0] = dict(
            type="PseudoLabelInfoNCELoss", queue_size=40, channels=8
        )
        # Ahead of PseudoLabelHook in the list: its priority decides.
        cfg.custom_hooks.insert(0, dict(type="EmbeddingQueueHook"))
        cfg.custom_hooks[1].interval = 3
        return train(cfg)

    whole = run(tmp_path / "whole")
    work = interrupted_at(tmp_path / "whole" / "epoch_2.pth", tmp_path / "parts")
    weights = dict(whole.model.state_dict())
    assert_same(dict(run(work, resume=True).model.state_dict()), weights)
    assert "cls_head.losses.0.queue.embeddings" in weights
    # Three epochs of 8 videos and 2 embeddings, all since the clustering before the first.
    labels = whole.model.cls_head.losses[0].queue.labels
    assert (labels >= -1).sum() == 40
    assert set(labels.tolist()) == set(labels_of(whole))
