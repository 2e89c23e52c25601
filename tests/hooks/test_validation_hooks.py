"""Validation of the first weights, and of an epoch whose run was killed before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.hooks import Hook

from ..runs import assert_same, interrupted_at, train

BEST = dict(
    default_hooks__checkpoint__save_best="retrieval/R@1", default_hooks__checkpoint__rule="greater"
)


class Killed(Exception):
    pass


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
    def start(name: str, *hooks: Hook, **options):
        options = dict(train_cfg__max_epochs=3, train_cfg__val_interval=2, **options)
        return train(tiny_config(tmp_path / name, **options), *hooks)

    return start


def test_a_resumed_run_makes_up_for_what_a_killed_one_missed(run, tmp_path: Path) -> None:
    run("whole", **BEST)
    whole = validated(tmp_path / "whole")
    assert list(whole) == [2, 3]
    for epoch in (2, 3):
        with pytest.raises(Killed):
            run(f"killed at {epoch}", StopBeforeValidation(epoch), **BEST)
        run(f"killed at {epoch}", resume=True, **BEST)
        assert validated(tmp_path / f"killed at {epoch}") == whole
        names = [
            sorted(path.name for path in (tmp_path / folder).glob("*.pth"))
            for folder in ("whole", f"killed at {epoch}")
        ]
        assert names[0] == names[1] and any("best" in name for name in names[0])


def test_nothing_is_validated_that_is_not_due_or_known(run, tmp_path: Path) -> None:
    run("whole", **BEST, train_cfg__val_begin=3)
    work = interrupted_at(tmp_path / "whole" / "epoch_1.pth", tmp_path / "parts")
    run("parts", resume=True)  # epoch 1 is not due
    assert list(validated(work)) == [2, 3]
    # The best checkpoint of epoch 3 was saved after its validation, and epoch 3 with it again.
    run("whole", resume=True, **BEST)
    assert list(validated(tmp_path / "whole")) == [3]


def test_the_first_weights_are_validated_and_training_stays_the_same(run, tmp_path: Path) -> None:
    hook = dict(default_hooks__initial=dict(type="InitialValidationHook"))
    weights = []
    for name, options in (("without", {}), ("with", hook)):
        runner = run(name, **options)
        weights.append(dict(runner.model.state_dict()))
    assert_same(*weights)
    assert list(validated(tmp_path / "with")) == [0, 2, 3]
    work = interrupted_at(tmp_path / "with" / "epoch_2.pth", tmp_path / "parts")
    run("parts", resume=True, **hook)
    # Not 0 again. 2 is made up for: its checkpoint was saved before it was validated.
    assert list(validated(work)) == [2, 3]
