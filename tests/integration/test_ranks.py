"""Two CPU processes with gloo."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from slic_mmaction.pseudo_labels.descriptors import Descriptors, save_descriptors

from ..runs import on_two_ranks, train


def train_rank(rank: int, cfg: Config, port: int, out: Path) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    cfg.launcher = "pytorch"
    runner = train(cfg)
    assert torch.distributed.get_world_size() == 2
    record = dict(
        labels=runner.train_dataloader.dataset.store.labels.clone(),
        weights=runner.model.module.state_dict(),
    )
    torch.save(record, out / f"rank_{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("descriptors", [False, True])
def test_two_ranks_end_with_the_same_labels_and_weights(
    tiny_config: Any, video_set: Path, tmp_path: Path, descriptors: bool, capfd
) -> None:
    cfg = tiny_config(train_cfg__max_epochs=1)
    if descriptors:
        rows = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
        path = tmp_path / "motion.npz"
        save_descriptors(path, Descriptors({f"train_{i}": row for i, row in enumerate(rows)}, {}))
        cfg.custom_hooks[0].clusterer = dict(type="FINCH")
        cfg.custom_hooks[0].descriptors = str(path)
    # Seven videos make uneven shards, batches of three uneven last batches.
    lines = (video_set / "train.txt").read_text().split("\n")[:7]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    cfg.train_dataloader.dataset.dataset.ann_file = str(tmp_path / "train.txt")
    cfg.train_dataloader.batch_size = 3
    cfg.custom_hooks[0].batch_size = 3
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    on_two_ranks(train_rank, cfg, port, tmp_path)
    said = capfd.readouterr().out
    assert said.count("on 2 CPU processes") == said.count("epoch 1 of 1") == 1
    first, second = (torch.load(tmp_path / f"rank_{r}.pt", weights_only=True) for r in (0, 1))
    assert torch.equal(first["labels"], second["labels"])
    assert first["labels"].unique().numel() < 7
    for name, value in first["weights"].items():
        if "running_" not in name:  # BatchNorm statistics are each rank's own
            assert torch.equal(value, second["weights"][name]), name
