"""InvalidLossHook in real Runners: on plain numbers, and on videos."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.hooks import CheckpointHook, Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset, RandomSampler

from slic_mmaction.hooks.invalid_loss_hook import batch_videos

from ..runs import state, toy_run, train

NAN, INF = float("nan"), float("inf")


class Numbers(Dataset):
    """Videos whose pixels are one number each."""

    def __init__(self, numbers: list[float]) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return dict(inputs=torch.tensor([self.numbers[index]]))

    def get_data_info(self, index: int) -> dict[str, str]:
        return dict(filename=f"{index}.mp4")


SPOILER = 11.0


class Line(BaseModel):
    """Two losses; with SPOILER in the batch both are finite, but a gradient is infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        # Not a floating point number, as BatchNorm's count of batches.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, inputs: torch.Tensor, mode: str) -> dict[str, torch.Tensor]:
        root = (self.weight - self.weight.detach()).sqrt().sum()
        return dict(
            loss_line=(self.weight * inputs).mean(),
            loss_root=root if SPOILER in inputs else 0 * self.weight.sum(),
        )


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Runner]:
    def make(numbers: list[float]) -> Runner:
        return toy_run(
            tmp_path / "work",
            Line(),
            Numbers(numbers),
            2,
            default_hooks=dict(invalid=dict(type="InvalidLossHook")),
            log_level="ERROR",
        )

    return make


@pytest.mark.parametrize("value", [NAN, -INF])
def test_the_sentence_names_moment_term_and_videos(run, value: float) -> None:
    runner = run([1.0, 2.0, 3.0, value, 5.0, 6.0])
    earlier = Path(runner.work_dir) / "epoch_1.pth"  # of another run in this folder
    earlier.touch()
    earlier.with_name("last_checkpoint").write_text(str(earlier))
    with pytest.raises(FloatingPointError) as error:
        runner.train()
    assert str(error.value) == (
        f"The loss of epoch 1, iteration 2 is {value} (loss_line) for the videos 2.mp4, 3.mp4: "
        "there is no checkpoint yet, so start again with optim_wrapper.clip_grad or a lower "
        "learning rate, and check these videos if it happens with them again."
    )
    assert runner.iter == 1  # the iteration is not over


@pytest.mark.parametrize("by_epoch", [True, False])
def test_weights_spoilt_by_a_finite_loss_are_not_saved(run, by_epoch: bool) -> None:
    runner = run([1.0, 2.0, 3.0, SPOILER])
    runner.register_hook(CheckpointHook(interval=1, by_epoch=by_epoch))
    with pytest.raises(FloatingPointError, match=r"^1 of 2 weights are not finite .*: weight\)"):
        runner.train()
    saved = [path.name for path in Path(runner.work_dir).glob("*.pth")]
    assert saved == ([] if by_epoch else ["iter_1.pth"])


def test_videos_of_a_stock_batch_are_those_that_the_sampler_drew(run) -> None:
    numbers = Numbers([float(i) for i in range(7)])
    sampler = DefaultSampler(numbers, shuffle=True, seed=5)
    sampler.set_epoch(3)
    loader = DataLoader(numbers, batch_size=3, sampler=sampler)
    for number, batch in enumerate(loader):
        expected = [f"{int(i)}.mp4" for i in batch["inputs"]]
        assert batch_videos(loader, batch, number) == expected
        assert batch_videos(loader, batch, 2 * len(loader) + number) == expected
    # An order that cannot be drawn again tells no videos.
    runner = run([1.0, NAN])
    numbers = Numbers([NAN, NAN])
    runner.train_loop.dataloader = DataLoader(numbers, sampler=RandomSampler(numbers))
    with pytest.raises(
        FloatingPointError, match=r"for unknown videos \(RandomSampler does not list them\)"
    ):
        runner.train()


class SpoilClips(Hook):
    """Has the network meet NaN in the last batch of the second epoch."""

    videos: list[int]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if runner.epoch == batch_idx == 1:
            samples = data_batch["data_samples"]
            self.videos = [i for sample in samples for i in sample.video_indices.tolist()]
            data_batch["inputs"] = [clip * NAN for clip in data_batch["inputs"]]


def test_anchors_positives_and_the_last_good_checkpoint_of_a_slic_run(tiny_config) -> None:
    cfg, spoiler = tiny_config(), SpoilClips()
    with pytest.raises(FloatingPointError) as error:
        train(cfg, spoiler)
    message = str(error.value)
    videos = [Path(p).name for p in re.findall(r"[^ ]+\.mp4", message)]
    assert videos == [f"train_{i}.mp4" for i in dict.fromkeys(spoiler.videos)]
    assert "loss of epoch 2, iteration 2 is nan (loss_triplet, loss_temporal)" in message
    good = Path(cfg.work_dir) / "epoch_1.pth"
    assert f"the last good checkpoint is {good}, so resume it" in message
    assert list(good.parent.glob("*.pth")) == [good]
    weights = state(good)["state_dict"].values()
    assert all(value.isfinite().all() for value in weights)
