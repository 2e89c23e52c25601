"""No true label reaches pretraining."""

from __future__ import annotations

import random
from pathlib import Path

from ..runs import assert_same, scalars_of, train


def test_shuffled_labels_leave_the_weights_bit_identical(
    tiny_config, video_set: Path, tmp_path: Path
) -> None:
    lines = (video_set / "train.txt").read_text().split("\n")[:-1]
    files, labels = zip(*(line.split() for line in lines))
    shuffled = random.Random(1).sample(labels, len(labels))
    assert tuple(shuffled) != labels
    weights, nmi = [], []
    for name, given in (("true", labels), ("shuffled", shuffled), ("absent", None)):
        rows = [" ".join(pair) for pair in zip(files, given)] if given else files
        (tmp_path / "train.txt").write_text("\n".join(rows))
        cfg = tiny_config(tmp_path / name)
        cfg.train_dataloader.dataset.dataset.ann_file = str(tmp_path / "train.txt")
        cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
        runner = train(cfg)
        weights.append(dict(runner.model.state_dict()))
        nmi.append(scalars_of(runner, "cluster/nmi"))
    assert_same(weights[0], weights[1])
    assert_same(weights[0], weights[2])
    assert set(nmi[0]) == {0, 1} and nmi[2] == {}
