from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from slic_mmaction.hooks.batch_plan import BatchPlan, check_batches, check_position


def test_plan_of_a_loader() -> None:
    loader = DataLoader(TensorDataset(torch.arange(10)), batch_size=3)
    assert BatchPlan.of(loader, 2) == BatchPlan(ranks=2, batch_size=3, epoch_length=4)


def test_the_same_batches_pass_in_silence() -> None:
    assert check_batches(BatchPlan(2, 16, 9), BatchPlan(2, 16, 7)) is None


def test_the_same_batch_on_other_ranks_is_said() -> None:
    warning = check_batches(BatchPlan(8, 13, 9), BatchPlan(4, 26, 9))
    assert "with 8 ranks x batch_size 13, this run goes on with 4 ranks x batch_size 26" in warning


@pytest.mark.parametrize(
    ("now", "help_"),
    [
        (BatchPlan(1, 16, 9), "set train_dataloader.batch_size=32 to resume"),
        (BatchPlan(2, 8, 9), "set train_dataloader.batch_size=16 to resume"),
        (BatchPlan(3, 16, 9), "use a number of ranks that divides 32 to resume"),
    ],
)
def test_another_batch_is_refused_with_what_helps(now: BatchPlan, help_: str) -> None:
    with pytest.raises(ValueError, match=rf"2 ranks x batch_size 16 = 32 videos .*: {help_}"):
        check_batches(BatchPlan(2, 16, 9), now)


def test_only_the_end_of_an_epoch_can_be_resumed() -> None:
    check_position(epoch=3, iteration=21, epoch_length=7)
    with pytest.raises(ValueError, match=r"after iteration 2 of 7 of epoch 4, .* 2 batches twice"):
        check_position(epoch=3, iteration=23, epoch_length=7)
    # CheckpointHook(by_epoch=False) calls the last iteration of an epoch a part of it.
    with pytest.raises(ValueError, match="after iteration 7 of 7 of epoch 4"):
        check_position(epoch=3, iteration=28, epoch_length=7)
