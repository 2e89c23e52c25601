"""No true label reaches pretraining."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import torch
from mmengine.runner import Runner


def test_shuffled_labels_leave_the_weights_bit_identical(
    tiny_config, video_set: Path, tmp_path: Path
) -> None:
    weights, logged = [], []
    for name in ("true", "shuffled", "absent"):
        root = tmp_path / name
        shutil.copytree(video_set, root)
        lines = (root / "train.txt").read_text().split("\n")[:-1]
        files, labels = zip(*(line.split() for line in lines))
        if name == "shuffled":
            labels = list(labels)
            random.Random(1).shuffle(labels)
            assert tuple(labels) != tuple(line.split()[1] for line in lines)
        # The same names in every run: pretraining may well depend on those.
        rows = files if name == "absent" else [" ".join(pair) for pair in zip(files, labels)]
        (tmp_path / "train.txt").write_text("\n".join(rows))
        cfg = tiny_config(tmp_path / f"work_{name}")
        cfg.train_dataloader.dataset.dataset.ann_file = str(tmp_path / "train.txt")
        cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
        runner = Runner.from_cfg(cfg)
        runner.train()
        weights.append(runner.model.state_dict())
        logged.append((Path(runner.log_dir) / "vis_data" / "scalars.json").read_text())
    for other in weights[1:]:
        assert all(torch.equal(weights[0][key], other[key]) for key in other)
    assert '"cluster/nmi"' in logged[0] and '"cluster/nmi"' not in logged[2]
