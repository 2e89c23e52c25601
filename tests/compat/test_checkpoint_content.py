"""A checkpoint whose pickle is harmless and whose content is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner
from torch.utils.data import Dataset

from slic_mmaction import compat
from slic_mmaction.compat import checkpoint_content
from slic_mmaction.compat.checkpoints import load_from_local

compat.apply()
pytestmark = pytest.mark.skipif(
    "checkpoint_content" not in compat.apply(), reason="this mmengine runs no config on resume"
)


class Points(Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return dict(x=torch.tensor([1.0 + index]))


class Linear(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x: torch.Tensor, mode: str) -> dict[str, torch.Tensor]:
        return dict(loss=self.layer(x).square().mean())


@pytest.fixture
def make_runner(tmp_path: Path) -> Callable[..., Runner]:
    def make(name: str, epochs: int, **options: Any) -> Runner:
        return Runner(
            Linear(),
            str(tmp_path / name),
            train_dataloader=dict(
                dataset=Points(),
                batch_size=1,
                sampler=dict(type="DefaultSampler", shuffle=False),
                collate_fn=dict(type="default_collate"),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
            experiment_name=f"{tmp_path.name}-{name}",
            log_level="ERROR",
            **options,
        )

    return make


def test_a_config_in_a_checkpoint_is_not_run(make_runner, tmp_path: Path, monkeypatch) -> None:
    make_runner("first", epochs=1).train()
    path = tmp_path / "first" / "epoch_1.pth"
    trace = tmp_path / "trace"
    checkpoint = load_from_local(str(path), "cpu")
    checkpoint["meta"]["config"] = f"open({str(trace)!r}, 'w').close()\n"
    torch.save(checkpoint, path)

    resumed = make_runner("second", epochs=2, resume=True, load_from=str(path))
    resumed.train()
    assert resumed.epoch == 2 and resumed.iter == 4  # it was resumed
    assert not trace.exists()

    # The program is live: mmengine's own loader leaves it in, and resuming runs it.
    theirs = checkpoint_content._mmengine_load_checkpoint
    monkeypatch.setattr(CheckpointLoader, "load_checkpoint", theirs)
    make_runner("third", epochs=2, resume=True, load_from=str(path)).train()
    assert trace.exists()


@pytest.mark.parametrize("content", [[1], torch.ones(2), "text", None])
def test_what_is_no_dict_is_named(content: Any, make_runner, tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=rf"c\.pth holds a {type(content).__name__} where a dict"):
        make_runner("run", epochs=1, load_from=str(path)).train()


def test_an_mmengine_without_the_defect_is_left_alone(monkeypatch) -> None:
    def resume(self: Any) -> None:
        """Runs nothing."""

    monkeypatch.setattr(Runner, "resume", resume)
    monkeypatch.setattr(CheckpointLoader, "load_checkpoint", len)
    assert not checkpoint_content.repair_checkpoint_content()
    assert CheckpointLoader.load_checkpoint is len
