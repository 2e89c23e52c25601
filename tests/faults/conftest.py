"""The frame of the fault suite: real trainings to hurt, and what they end with.

``make test-faults`` runs everything here. A plain ``pytest`` leaves out what is marked
``@pytest.mark.faults(full=True)``.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch.utils._pytree import tree_flatten

from slic_mmaction.compat.checkpoints import load_from_local
from slic_mmaction.visualization.scalars import read_scalars

HERE = Path(__file__).parent
TRAIN = HERE.parents[1] / "tools" / "train.py"
FULL = os.environ.get("SLIC_FAULTS") == "full"
# Where a config's custom_imports finds killing.py.
PYTHONPATH = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long ones to ``make test-faults``."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.slow)
    long = [
        item
        for item in ours
        if any(mark.kwargs.get("full") for mark in item.iter_markers("faults")) and not FULL
    ]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def fault_config(video_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a config of fault_run.py on ``video_set``; keyword arguments override it."""

    def make(**options: Any) -> Path:
        cfg = Config.fromfile(HERE / "fault_run.py", import_custom_modules=False)
        train, val = cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset
        for part, split in ((train, "train"), (val.gallery, "train"), (val.query, "test")):
            part.ann_file = str(video_set / f"{split}.txt")
            part.data_prefix = dict(video=str(video_set))
        cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
        hooks = options.pop("hooks", [])
        cfg.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
        cfg.custom_hooks += hooks
        path = tmp_path_factory.mktemp("config") / "fault_run.py"
        cfg.dump(str(path))
        return path

    return make


@pytest.fixture(scope="session")
def start(start_program: Callable[..., Any]) -> Callable[..., Any]:
    """``start(config, work_dir, *arguments)``: start tools/train.py."""

    def begin(config: Path, work_dir: Path, *arguments: str) -> Any:
        # MMEngine names the log folder of a run by the second in which it starts: an earlier run
        # may have started in this one.
        second = int(time.time())
        while int(time.time()) == second:
            time.sleep(0.01)
        options = (config, "--work-dir", work_dir, *arguments)
        return start_program(TRAIN, *options, PYTHONPATH=PYTHONPATH)

    return begin


@pytest.fixture(scope="session")
def train_on_ranks(start_on_ranks: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """``train_on_ranks(count, config, work_dir, *arguments)``: the same on several ranks."""

    def begin(count: int, config: Path, work_dir: Path, *arguments: str) -> list[Any]:
        options = (config, "--work-dir", work_dir, "--launcher", "pytorch", *arguments)
        return start_on_ranks(count, TRAIN, *options, PYTHONPATH=PYTHONPATH)

    return begin


def digest(value: Any) -> str:
    """SHA-256 of nested containers of tensors, arrays and plain values, bit for bit."""
    leaves, structure = tree_flatten(value)
    sha = hashlib.sha256(repr(structure).encode())
    for leaf in leaves:
        if isinstance(leaf, (torch.Tensor, np.ndarray)):
            array = np.ascontiguousarray(leaf)
            sha.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        else:
            sha.update(repr(leaf).encode())
    return sha.hexdigest()


@pytest.fixture(scope="session")
def outcome_of() -> Callable[[Path], dict[str, str]]:
    """``outcome_of(work_dir)``: what a run ends with, by name: a hash of each.

    Weights, optimizer, schedules, labels of every clustering, every logged metric, and which
    files there are.
    """

    def outcome(work_dir: Path) -> dict[str, str]:
        last = load_from_local((work_dir / "last_checkpoint").read_text(), "cpu")
        labels = {}
        for file in sorted((work_dir / "pseudo_labels").iterdir()):
            with np.load(file) as saved:
                labels[file.name] = (saved["labels"], saved["videos"].tolist(), int(saved["epoch"]))
        scalars = read_scalars(work_dir).items()
        logged = [item for item in scalars if item[0] not in ("time", "data_time", "memory")]
        return dict(
            weights=digest(last["state_dict"]),
            optimizer=digest([last["optimizer"], last["param_schedulers"]]),
            labels=digest([labels, last["pseudo_labels"]]),
            metrics=digest(sorted((name, sorted(values.items())) for name, values in logged)),
            files=" ".join(sorted(path.name for path in work_dir.iterdir() if path.is_file())),
        )

    return outcome


@pytest.fixture(scope="session")
def uninterrupted(start, fault_config, outcome_of, tmp_path_factory) -> dict[str, str]:
    """Outcome of a run that nothing disturbed."""
    work_dir = tmp_path_factory.mktemp("uninterrupted")
    code, output = start(fault_config(), work_dir).end()
    assert code == 0, output[-3000:]
    return outcome_of(work_dir)
