"""A resumed run is the uninterrupted run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ..runs import assert_same, interrupted_at, labels_of, log_of, scalars_of, state, train


@pytest.fixture
def config(tiny_config):
    def make(work_dir: Path, epochs: int, **options):
        cfg = tiny_config(work_dir, train_cfg__max_epochs=epochs, **options)
        cfg.custom_hooks[0].interval = 3
        return cfg

    return make


def test_resume_is_bit_identical_whatever_the_workers(config, tmp_path: Path) -> None:
    whole = train(config(tmp_path / "whole", 4, randomness__seed=7))
    work = interrupted_at(tmp_path / "whole" / "epoch_2.pth", tmp_path / "parts")
    cfg = config(work, 4, resume=True)
    # The sampler is built before the checkpoint's seed is known.
    cfg.pop("randomness")
    cfg.train_dataloader.update(num_workers=2, persistent_workers=True)
    resumed = train(cfg)
    assert resumed.seed == 7
    ours, theirs = (state(tmp_path / run / "epoch_4.pth") for run in ("whole", "parts"))
    for part in ("state_dict", "optimizer", "pseudo_labels"):
        assert_same(ours[part], theirs[part], part)
    # It went on with the checkpoint's labels until the next clustering was due.
    assert [path.name for path in (work / "pseudo_labels").iterdir()] == ["epoch_3.npz"]
    labels = labels_of(whole)
    assert labels == labels_of(resumed) and len(set(labels)) < len(labels)


def test_resume_after_the_set_has_changed(config, tmp_path: Path, video_set: Path) -> None:
    before = labels_of(train(config(tmp_path / "first", 2)))
    checkpoint = tmp_path / "first" / "epoch_2.pth"
    lines = (video_set / "train.txt").read_text().split("\n")[:8]
    changed = tmp_path / "changed.txt"
    changed.write_text("\n".join([lines[6], "test_1.mp4 0", lines[2], lines[3]]))
    cfg = config(interrupted_at(checkpoint, tmp_path / "changed"), 3, resume=True)
    cfg.train_dataloader.dataset.dataset.ann_file = str(changed)
    runner = train(cfg)
    assert labels_of(runner) == [before[6], -1, before[2], before[3]]
    log = log_of(runner)
    assert "1 added (first: test_1.mp4), 5 removed (first: train_0.mp4), another order" in log
    assert "An epoch had 2 iterations in the checkpoint and has 1 now" in log
    assert runner.iter == 3

    saved = state(checkpoint)
    del saved["pseudo_labels"]
    torch.save(saved, tmp_path / "epoch_2.pth")
    work = interrupted_at(tmp_path / "epoch_2.pth", tmp_path / "without labels")
    runner = train(config(work, 3, resume=True))
    assert (work / "pseudo_labels" / "epoch_2.npz").is_file()
    log = log_of(runner)
    assert "has no pseudo-labels" in log and "clustered before the first epoch" in log


def test_joined_and_repeated_datasets_resume_exactly_and_are_evaluated(
    config, tmp_path: Path
) -> None:
    def joined(work_dir: Path, **options):
        cfg = config(work_dir, 2, train_cfg__val_interval=2, **options)
        parts = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
        train_set, gallery, query = parts[0].dataset, parts[1].gallery, parts[1].query
        repeated = dict(type="RepeatDataset", dataset=query, times=2)
        parts[0].dataset = dict(type="ConcatDataset", datasets=[train_set, repeated])
        parts[1].gallery = dict(type="ConcatDataset", datasets=[gallery, query])
        return cfg

    whole = train(joined(tmp_path / "whole"))
    assert len(whole.train_dataloader) == 4 and len(labels_of(whole)) == 12
    assert "4 of 16 entries of the training set repeat a video" in log_of(whole)
    assert list(scalars_of(whole, "retrieval/R@1").values()) == [100], "queries find themselves"
    record = json.loads(Path(whole.log_dir, "evaluation.json").read_text())
    assert [Path(f).name for f in record["gallery"]["ann_file"].split(", ")] == [
        "train.txt",
        "test.txt",
    ]
    work = interrupted_at(tmp_path / "whole" / "epoch_1.pth", tmp_path / "parts")
    resumed = train(joined(work, resume=True))
    assert_same(dict(resumed.model.state_dict()), dict(whole.model.state_dict()))


def test_load_from_takes_weights_but_not_labels(config, tmp_path: Path) -> None:
    first = train(config(tmp_path / "first", 1))
    cfg = config(tmp_path / "second", 1, load_from=str(tmp_path / "first" / "epoch_1.pth"))
    cfg.optim_wrapper.optimizer.lr = 0.0
    cfg.custom_hooks[0].clusterer = None
    second = train(cfg)
    for name, value in first.model.named_parameters():
        assert torch.equal(value, second.model.get_parameter(name)), name
    assert labels_of(second) == list(range(8))
