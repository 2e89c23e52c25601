from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.runner import Runner

from slic_mmaction.compat.checkpoints import load_from_local

pytestmark = pytest.mark.slow


def run(cfg, **options) -> Runner:
    cfg.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


class Draws(Hook):
    """What the global generators give in every iteration of a run."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.drawn: dict[int, tuple] = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.drawn[runner.iter] = (random.random(), np.random.random(), float(torch.rand(())))


def draws_of(cfg, **options) -> dict[int, tuple]:
    cfg.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
    runner = Runner.from_cfg(cfg)
    draws = Draws()
    runner.register_hook(draws)
    runner.train()
    return draws.drawn


def test_generators_go_on_where_the_run_was_interrupted(tiny_config, tmp_path: Path) -> None:
    whole = draws_of(tiny_config(tmp_path / "whole"))
    draws_of(tiny_config(tmp_path / "parts"), train_cfg__max_epochs=1)
    resumed = draws_of(tiny_config(tmp_path / "parts"), resume=True)
    assert list(resumed) == [2, 3]
    assert {iteration: whole[iteration] for iteration in resumed} == resumed
    assert len({number for draws in whole.values() for number in draws}) == 12
    other = draws_of(tiny_config(tmp_path / "other"), randomness__seed=1)
    assert not set(other.values()) & set(whole.values())


def test_another_batch_size_is_refused(tiny_config, tmp_path: Path) -> None:
    run(tiny_config(tmp_path), train_cfg__max_epochs=1)
    with pytest.raises(ValueError, match=r"batch_size 4 = 4 videos .* batch_size 2 = 2: set"):
        run(tiny_config(tmp_path), resume=True, train_dataloader__batch_size=2)
    plan = load_from_local(str(tmp_path / "epoch_1.pth"), "cpu")["meta"]["batch_plan"]
    assert plan == dict(ranks=1, batch_size=4, epoch_length=2)


def test_a_checkpoint_from_the_middle_of_an_epoch_is_refused(tiny_config, tmp_path: Path) -> None:
    by_iteration = dict(default_hooks__checkpoint__by_epoch=False)
    run(tiny_config(tmp_path), train_cfg__max_epochs=1, **by_iteration)
    for iteration in (1, 2):
        path = str(tmp_path / f"iter_{iteration}.pth")
        with pytest.raises(ValueError, match=f"after iteration {iteration} of 2 of epoch 1"):
            run(tiny_config(tmp_path), resume=True, load_from=path)


@pytest.fixture
def shorter(video_set: Path, tmp_path: Path) -> dict[str, str]:
    """The training set without its last four videos: epochs of 1 iteration in the place of 2."""
    path = tmp_path / "shorter.txt"
    path.write_text("\n".join((video_set / "train.txt").read_text().split("\n")[:4]))
    return dict(train_dataloader__dataset__dataset__ann_file=str(path))


def test_iterations_are_counted_as_if_the_set_had_always_been_so(
    tiny_config, tmp_path: Path, shorter
) -> None:
    run(tiny_config(tmp_path), train_cfg__max_epochs=2)
    runner = run(tiny_config(tmp_path), resume=True, train_cfg__max_epochs=4, **shorter)
    assert (runner.epoch, runner.iter, runner.max_iters) == (4, 4, 4)
    runner = run(tiny_config(tmp_path), resume=True, train_cfg__max_epochs=5)
    assert (runner.epoch, runner.iter, runner.max_iters) == (5, 10, 10)


@pytest.mark.parametrize(("warm_up", "refused"), [(3, True), (1, False)])
def test_a_schedule_that_counts_the_old_iterations_is_refused_while_it_lasts(
    tiny_config, tmp_path: Path, shorter, warm_up: int, refused: bool
) -> None:
    def cfg(epochs: int):
        made = tiny_config(tmp_path, train_cfg__max_epochs=epochs)
        schedule = dict(type="LinearLR", end=warm_up, by_epoch=True, convert_to_iter_based=True)
        made.param_scheduler = [ConfigDict(schedule)]
        return made

    run(cfg(2))
    if refused:
        with pytest.raises(ValueError, match="2 iterations in the checkpoint and has 1 now, and "):
            run(cfg(3), resume=True, **shorter)
    else:
        assert run(cfg(3), resume=True, **shorter).iter == 3


def test_checkpoints_of_other_code_are_resumed_as_mmengine_does(
    tiny_config, tmp_path: Path
) -> None:
    run(tiny_config(tmp_path), train_cfg__max_epochs=1)
    path = tmp_path / "epoch_1.pth"
    checkpoint = torch.load(path, weights_only=False)  # written by this test
    del checkpoint["meta"]["batch_plan"]
    torch.save(checkpoint, path)
    assert run(tiny_config(tmp_path), resume=True, train_dataloader__batch_size=8).epoch == 2
