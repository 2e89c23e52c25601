"""Two CPU processes with gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from slic_mmaction.datasets.descriptor_file import Descriptors, save_descriptors

HERE = Path(__file__).parent

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("described", [False, True])
def test_two_ranks_end_with_the_same_labels_and_weights(
    tiny_config, video_set: Path, tmp_path: Path, described: bool
) -> None:
    cfg = tiny_config()
    if described:
        rows = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
        rows = {f"train_{i}": row for i, row in enumerate(rows)}
        save_descriptors(tmp_path / "motion.npz", Descriptors(rows, {}))
        cfg.custom_hooks[0].clusterer = dict(type="FINCH")
        cfg.custom_hooks[0].descriptors = str(tmp_path / "motion.npz")
    cfg.train_cfg.max_epochs = 1
    # Seven videos make uneven shards, batches of three uneven last batches.
    lines = (video_set / "train.txt").read_text().split("\n")[:7]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    cfg.train_dataloader.dataset.dataset.ann_file = str(tmp_path / "train.txt")
    cfg.train_dataloader.batch_size = 3
    cfg.custom_hooks[0].batch_size = 3
    cfg.dump(str(tmp_path / "config.py"))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command += ["--master_port=29611", str(HERE / "train_rank.py")]
    done = subprocess.run(
        [*command, str(tmp_path / "config.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (torch.load(tmp_path / f"rank_{r}.pt", weights_only=True) for r in (0, 1))
    assert first["gradient_ranks"] == 2
    assert torch.equal(first["labels"], second["labels"])
    assert first["labels"].unique().numel() < 7
    for name, value in first["weights"].items():
        if "running_" not in name:  # BatchNorm statistics are each rank's own
            assert torch.equal(value, second["weights"][name]), name
