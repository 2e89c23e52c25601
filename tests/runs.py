"""Short runs of a config, and what they leave behind."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

_numbers = itertools.count()


def train(cfg: Config, *hooks: Hook) -> Runner:
    # MMEngine keeps one message hub for each name, and its own names change each second only.
    cfg.experiment_name = f"{cfg.experiment_name}-{next(_numbers)}"
    runner = RUNNERS.build(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def toy_run(work_dir: Path, model: BaseModel, dataset: Dataset, epochs: int, **options) -> Runner:
    """A run of two items in a batch without any file of a config."""
    loader = dict(
        dataset=dataset,
        batch_size=2,
        sampler=dict(type="DefaultSampler", shuffle=False),
        collate_fn=dict(type="default_collate"),
    )
    if "val_evaluator" in options:
        options.update(val_dataloader=loader, val_cfg={})
    return Runner(
        model,
        str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        default_scope="mmaction",
        randomness=dict(seed=3),
        experiment_name=f"toy-{next(_numbers)}",
        **{"optim_wrapper": dict(optimizer=dict(type="SGD", lr=0.1)), **options},
    )


def video_list(root: Path, split: str = "train") -> dict[str, Any]:
    """Config of a data set of the fixture ``video_set``."""
    return dict(
        type="VideoDataset",
        ann_file=str(root / f"{split}.txt"),
        data_prefix=dict(video=str(root)),
        serialize_data=False,
    )


def on_two_ranks(work: Callable, *args: Any) -> None:
    """Call ``work(rank, *args)`` in two processes, forked: they need not import anything again."""
    ranks = [get_context("fork").Process(target=work, args=(rank, *args)) for rank in (0, 1)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert [rank.exitcode for rank in ranks] == [0, 0]


def log_of(runner: Runner) -> str:
    return Path(runner.log_dir, f"{runner.timestamp}.log").read_text()


def labels_of(runner: Runner) -> list[int]:
    return runner.train_dataloader.dataset.store.labels.tolist()


def hook_of(runner: Runner, name: str) -> Hook:
    return next(hook for hook in runner.hooks if type(hook).__name__ == name)


def scalars_of(runner: Runner, name: str) -> dict[int, float]:
    """Logged values by step."""
    lines = Path(runner.log_dir, "vis_data", "scalars.json").read_text().splitlines()
    return {r["step"]: r[name] for r in map(json.loads, lines) if name in r}


def state(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=False)  # written by a test


def interrupted_at(checkpoint: Path, work: Path) -> Path:
    """A work directory as a run left it that was killed after it had saved ``checkpoint``."""
    work.mkdir()
    shutil.copy(checkpoint, work)
    (work / "last_checkpoint").write_text(str(work / checkpoint.name))
    return work


def assert_same(ours: Any, theirs: Any, where: str = "") -> None:
    """Equal to the last bit, through dicts and lists."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for key in ours:
            assert_same(ours[key], theirs[key], f"{where}/{key}")
    elif isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs), where
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs), where
        for i, pair in enumerate(zip(ours, theirs)):
            assert_same(*pair, f"{where}/{i}")
    else:
        assert ours == theirs, where
