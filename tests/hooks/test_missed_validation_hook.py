"""A run killed between a checkpoint and the validation of its epoch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

pytestmark = pytest.mark.slow


class Killed(Exception):
    pass


@HOOKS.register_module()
class StopBeforeValidation(Hook):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def before_val_epoch(self, runner) -> None:
        if runner.epoch == self.epoch:
            raise Killed


def validated(work_dir: Path) -> dict[int, float]:
    """R@1 by epoch, of all starts; an epoch validated twice is an error."""
    values: dict[int, float] = {}
    for file in sorted(work_dir.glob("*/vis_data/scalars.json")):
        for record in map(json.loads, file.read_text().splitlines()):
            if "retrieval/R@1" in record:
                assert record["step"] not in values
                values[record["step"]] = record["retrieval/R@1"]
    return values


@pytest.fixture
def run(tiny_config, tmp_path: Path):
    def start(name: str, stop: int | None = None, **options) -> Runner:
        cfg = tiny_config(tmp_path / name, train_cfg__max_epochs=3, train_cfg__val_interval=2)
        cfg.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
        if stop is not None:
            cfg.custom_hooks.append(dict(type="StopBeforeValidation", epoch=stop))
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner

    return start


@pytest.mark.parametrize("epoch", [2, 3])
def test_the_resumed_run_makes_up_for_it(run, tmp_path: Path, epoch: int) -> None:
    best = dict(default_hooks__checkpoint__save_best="retrieval/R@1")
    best["default_hooks__checkpoint__rule"] = "greater"
    run("whole", **best)
    with pytest.raises(Killed):
        run("parts", stop=epoch, **best)
    run("parts", resume=True, **best)
    whole = validated(tmp_path / "whole")
    assert list(whole) == [2, 3]
    assert validated(tmp_path / "parts") == whole
    kept = [
        sorted(path.name for path in (tmp_path / name).glob("*.pth")) for name in ("whole", "parts")
    ]
    assert kept[0] == kept[1] and any("best" in name for name in kept[0])


def test_nothing_is_validated_that_is_not_due_or_known(run, tmp_path: Path) -> None:
    run("parts", train_cfg__max_epochs=1, train_cfg__val_begin=2)
    run("parts", resume=True)  # epoch 1 is not due
    assert list(validated(tmp_path / "parts")) == [2, 3]
    # The best checkpoint of epoch 3 was saved after its validation, and epoch 3 with it again.
    best = dict(default_hooks__checkpoint__save_best="retrieval/R@1")
    run("best", **best, default_hooks__checkpoint__rule="greater", train_cfg__val_begin=3)
    assert list(validated(tmp_path / "best")) == [3]
    run("best", resume=True, **best, default_hooks__checkpoint__rule="greater")
    assert list(validated(tmp_path / "best")) == [3]
