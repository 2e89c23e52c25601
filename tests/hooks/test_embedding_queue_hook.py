"""Embedding queues know the labels in force, and survive a resume."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.priority import get_priority
from torch import nn

from slic_mmaction.datasets import ClusterAwareDataset
from slic_mmaction.hooks import EmbeddingQueueHook, PseudoLabelHook
from slic_mmaction.losses import PseudoLabelInfoNCELoss

LOSS = dict(type="PseudoLabelInfoNCELoss", queue_size=40, channels=8)


def fake_runner(root: Path, loss: nn.Module) -> SimpleNamespace:
    init_default_scope("mmaction")
    videos = dict(
        type="VideoDataset", ann_file=str(root / "train.txt"), data_prefix=dict(video=str(root))
    )
    dataset = ClusterAwareDataset(videos, [])
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


def test_it_comes_after_the_clustering() -> None:
    """MMEngine calls hooks in the order of their priority; a smaller number is earlier."""
    assert get_priority(EmbeddingQueueHook.priority) > get_priority(PseudoLabelHook.priority)


def test_bad_use_is_named(video_set: Path) -> None:
    with pytest.raises(ValueError, match=r"found no embedding queue.*a queue_size"):
        EmbeddingQueueHook().before_train(fake_runner(video_set, PseudoLabelInfoNCELoss()))
    runner = fake_runner(video_set, nn.Identity())
    runner.train_dataloader.dataset = [1, 2]
    with pytest.raises(TypeError, match="ClusterAwareDataset, but it is list"):
        EmbeddingQueueHook().before_train(runner)


def train(tiny_config, folder: Path, epochs: int, **options) -> Runner:
    cfg = tiny_config(folder, **options)
    cfg.model.cls_head.losses[0] = LOSS
    cfg.train_cfg.max_epochs = epochs
    # Ahead of PseudoLabelHook in the list: its priority decides.
    cfg.custom_hooks.insert(0, dict(type="EmbeddingQueueHook"))
    cfg.custom_hooks[1].interval = 3
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


@pytest.mark.slow
def test_resume_is_bit_identical_with_the_queue(tiny_config, tmp_path: Path) -> None:
    whole = train(tiny_config, tmp_path / "whole", 3)
    train(tiny_config, tmp_path / "parts", 2)
    resumed = train(tiny_config, tmp_path / "parts", 3, resume=True)
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert "cls_head.losses.0.queue.embeddings" in theirs
    # Three epochs of 8 videos and 2 embeddings, all since the clustering before the first.
    labels = whole.model.cls_head.losses[0].queue.labels
    assert (labels >= -1).sum() == 40
    assert set(labels.tolist()) == set(whole.train_dataloader.dataset.store.labels.tolist())
