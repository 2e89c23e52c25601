from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader, TensorDataset

from slic_mmaction.hooks.exact_resume_hook import BatchPlan, check_batches

from ..runs import interrupted_at, state, train


def test_the_batch_of_all_ranks_must_stay() -> None:
    loader = DataLoader(TensorDataset(torch.arange(10)), batch_size=3)
    assert BatchPlan.of(loader, 2) == BatchPlan(ranks=2, batch_size=3, epoch_length=4)
    assert check_batches(BatchPlan(2, 16, 9), BatchPlan(2, 16, 7)) is None
    warning = check_batches(BatchPlan(8, 13, 9), BatchPlan(4, 26, 9))
    assert (
        "with 8 ranks x batch_size 13, and this run continues with 4 ranks x batch_size 26"
        in warning
    )
    for now, help_ in (
        (BatchPlan(1, 16, 9), "set train_dataloader.batch_size=32 to resume"),
        (BatchPlan(2, 8, 9), "set train_dataloader.batch_size=16 to resume"),
        (BatchPlan(3, 16, 9), "use a number of ranks that divides 32 to resume"),
    ):
        with pytest.raises(ValueError, match=rf"2 ranks x batch_size 16 = 32 videos .*: {help_}"):
            check_batches(BatchPlan(2, 16, 9), now)


class Draws(Hook):
    """What the global generators give in every iteration of a run."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.drawn: dict[int, tuple] = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.drawn[runner.iter] = (random.random(), np.random.random(), float(torch.rand(())))


def draws_of(cfg) -> dict[int, tuple]:
    draws = Draws()
    train(cfg, draws)
    return draws.drawn


def test_generators_and_plans_go_on_where_the_run_was_interrupted(tiny_config, tmp_path) -> None:
    whole = draws_of(tiny_config(tmp_path / "whole"))
    first = tmp_path / "whole" / "epoch_1.pth"
    resumed = draws_of(tiny_config(interrupted_at(first, tmp_path / "parts"), resume=True))
    assert list(resumed) == [2, 3]
    assert {iteration: whole[iteration] for iteration in resumed} == resumed
    assert len({number for draws in whole.values() for number in draws}) == 12
    other = draws_of(tiny_config(tmp_path / "other", randomness__seed=1))
    assert not set(other.values()) & set(whole.values())

    own_seeds = tiny_config(tmp_path / "own", randomness=dict(seed=None, diff_rank_seed=True))
    runner = train(own_seeds)
    assert runner.train_dataloader.sampler.seed == runner.seed

    checkpoint = state(first)
    assert checkpoint["meta"].pop("batch_plan") == dict(ranks=1, batch_size=4, epoch_length=2)
    changed = dict(resume=True, train_dataloader__batch_size=2)
    with pytest.raises(ValueError, match=r"batch_size 4 = 4 videos .* batch_size 2 = 2: set"):
        train(tiny_config(interrupted_at(first, tmp_path / "changed"), **changed))
    # A checkpoint of other code is resumed as MMEngine does.
    torch.save(checkpoint, tmp_path / "epoch_1.pth")
    changed["train_dataloader__batch_size"] = 8
    work = interrupted_at(tmp_path / "epoch_1.pth", tmp_path / "elsewhere")
    assert train(tiny_config(work, **changed)).epoch == 2


def test_a_checkpoint_from_the_middle_of_an_epoch_is_refused(tiny_config, tmp_path: Path) -> None:
    cfg = tiny_config(tmp_path, train_cfg__max_epochs=1)
    cfg.default_hooks.checkpoint.by_epoch = False
    train(cfg)
    # CheckpointHook(by_epoch=False) calls the last iteration of an epoch a part of it.
    for iteration in (1, 2):
        path = str(tmp_path / f"iter_{iteration}.pth")
        with pytest.raises(ValueError, match=rf"iteration {iteration} of 2 of epoch 1, .* twice"):
            train(tiny_config(tmp_path, resume=True, load_from=path))


def test_a_checkpoint_without_all_weights_is_not_resumed(tiny_config, tmp_path) -> None:
    train(tiny_config(train_cfg__max_epochs=1))
    path = tmp_path / "work" / "epoch_1.pth"
    whole = state(path)
    name = "backbone.layer3.0.conv1.conv.weight"
    for spoilt in (None, whole["state_dict"][name][:, :1].clone()):
        checkpoint = dict(whole, state_dict=dict(whole["state_dict"]))
        checkpoint["state_dict"].pop(name)
        if spoilt is not None:
            checkpoint["state_dict"][name] = spoilt
        torch.save(checkpoint, tmp_path / "part.pth")
        cfg = tiny_config(tmp_path / "other", load_from=str(tmp_path / "part.pth"))
        runner = Runner.from_cfg(cfg)
        runner._resume = True
        with pytest.raises(
            ValueError, match=rf"lacks 1 of \d+ weights .*{name}.*load_from instead"
        ):
            runner.train()
        # Not a resume: new weights in a place are what is asked for.
        Runner.from_cfg(cfg).load_or_resume()


@pytest.fixture
def shorter(video_set: Path, tmp_path: Path) -> dict[str, str]:
    """The training set without its last four videos: epochs of 1 iteration instead of 2."""
    path = tmp_path / "shorter.txt"
    path.write_text("\n".join((video_set / "train.txt").read_text().split("\n")[:4]))
    return dict(train_dataloader__dataset__dataset__ann_file=str(path), resume=True)


def test_iterations_are_counted_as_if_the_set_had_always_been_so(
    tiny_config, tmp_path: Path, shorter
) -> None:
    train(tiny_config(tmp_path, train_cfg__max_epochs=1))
    runner = train(tiny_config(tmp_path, train_cfg__max_epochs=2, **shorter))
    assert (runner.epoch, runner.iter, runner.max_iters) == (2, 2, 2)
    runner = train(tiny_config(tmp_path, resume=True, train_cfg__max_epochs=3))
    assert (runner.epoch, runner.iter, runner.max_iters) == (3, 6, 6)


def test_a_schedule_that_counts_the_old_iterations_is_refused_while_it_lasts(
    tiny_config, tmp_path: Path, shorter
) -> None:
    def cfg(warm_up: int, **options):
        made = tiny_config(tmp_path / f"{warm_up}", **options)
        schedule = dict(type="LinearLR", end=warm_up, by_epoch=True, convert_to_iter_based=True)
        made.param_scheduler = [ConfigDict(schedule)]
        return made

    for warm_up in (2, 1):
        train(cfg(warm_up, train_cfg__max_epochs=1))
    assert train(cfg(1, **shorter)).iter == 2
    with pytest.raises(ValueError, match="2 iterations in the checkpoint and has 1 now, and "):
        train(cfg(2, **shorter))
