from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import CheckpointLoader, Runner
from torch import Tensor, nn

from slic_mmaction.hooks import ChannelsLastHook

HOOK = dict(type="ChannelsLastHook")


class Regroup(nn.Module):
    """Like the shift of TSM: what comes out is in the usual layout."""

    def forward(self, values: Tensor) -> Tensor:
        return values.roll(1, 0).contiguous()


class Recognizer(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, clips: Tensor) -> Tensor:
        return self.backbone(clips)


def network(dims: int = 3) -> Recognizer:
    torch.manual_seed(0)
    conv, norm, pool = (
        (nn.Conv3d, nn.BatchNorm3d, nn.MaxPool3d)
        if dims == 3
        else (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d)
    )
    return Recognizer(
        nn.Sequential(
            conv(3, 16, 3, padding=1), norm(16), nn.ReLU(), pool(2), Regroup(), conv(16, 16, 3)
        )
    )


def use_hook(model: nn.Module) -> None:
    ChannelsLastHook().before_run(SimpleNamespace(model=model))


def gradients(model: nn.Module, clips: Tensor) -> list[Tensor]:
    model(clips).square().mean().backward()
    return [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("dims", [2, 3])
def test_the_layout_goes_through_and_nothing_else_changes(dims: int) -> None:
    plain, last = network(dims), network(dims)
    use_hook(last)
    clips = torch.rand(16, 3, *(8, 12, 14)[-dims:])
    memory_format = torch.channels_last_3d if dims == 3 else torch.channels_last
    output = last(clips)
    assert output.is_contiguous(memory_format=memory_format)
    assert not output.is_contiguous()
    torch.testing.assert_close(output, plain(clips))
    for ours, theirs in zip(gradients(last, clips), gradients(plain, clips)):
        torch.testing.assert_close(ours, theirs)
    assert all(parameter.is_contiguous() for parameter in last.parameters())


def test_gradients_of_ranks_are_right(tmp_path: Path) -> None:
    """torch would permute them if the weights were laid out anew after wrapping."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/ranks", rank=0, world_size=1)
    try:
        plain, wrapped = network(), MMDistributedDataParallel(module=network(), device_ids=None)
        use_hook(wrapped)
        clips = torch.rand(2, 3, 8, 12, 14)
        for ours, theirs in zip(gradients(wrapped, clips), gradients(plain, clips)):
            torch.testing.assert_close(ours, theirs)
    finally:
        dist.destroy_process_group()


@pytest.mark.slow
def test_training_and_resuming_are_the_same_within_rounding(tiny_config, tmp_path: Path) -> None:
    def train(folder: Path, hook: bool, resume: bool = False) -> dict[str, Tensor]:
        # Rounding grows from step to step, the more the faster weights move.
        cfg = tiny_config(folder, resume=resume, optim_wrapper__optimizer__lr=1e-3)
        cfg.custom_hooks = [*cfg.custom_hooks, *([HOOK] if hook else [])]
        runner = Runner.from_cfg(cfg)
        usual: set[bool] = set()
        norm = runner.model.backbone.layer3[0].conv1.bn
        norm.register_forward_pre_hook(lambda _, args: usual.add(args[0].is_contiguous()))
        runner.train()
        # Clips of one view come in the usual layout, those of several do not.
        assert usual == ({False} if hook else {False, True})
        return {name: parameter.detach() for name, parameter in runner.model.named_parameters()}

    plain = train(tmp_path / "plain", hook=False)
    runs = [train(tmp_path / "last", hook=True)]
    for first in ("plain", "last"):
        folder = tmp_path / f"{first}, then the other"
        folder.mkdir()
        shutil.copy(tmp_path / first / "epoch_1.pth", folder)
        (folder / "last_checkpoint").write_text(str(folder / "epoch_1.pth"))
        runs.append(train(folder, hook=first == "plain", resume=True))
    start = CheckpointLoader.load_checkpoint(str(tmp_path / "plain" / "epoch_1.pth"))["state_dict"]
    step = torch.cat([(weight - start[name]).flatten() for name, weight in plain.items()])
    assert step.norm() > 0
    for run in runs:
        other = torch.cat([(run[name] - start[name]).flatten() for name in plain])
        assert (other - step).norm() < 1e-3 * step.norm()
