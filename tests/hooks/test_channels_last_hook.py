from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from torch import Tensor, nn

from slic_mmaction.hooks import ChannelsLastHook

from ..runs import interrupted_at, state, train


class Regroup(nn.Module):
    """Like the shift of TSM: what comes out is in the usual layout."""

    def forward(self, values: Tensor) -> Tensor:
        return values.roll(1, 0).contiguous()


class Recognizer(nn.Module):
    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        conv, norm, pool = (getattr(nn, f"{n}{dims}d") for n in ("Conv", "BatchNorm", "MaxPool"))
        self.backbone = nn.Sequential(
            conv(3, 16, 3, padding=1), norm(16), nn.ReLU(), pool(2), Regroup(), conv(16, 16, 3)
        )

    def forward(self, clips: Tensor) -> Tensor:
        return self.backbone(clips)


def use_hook(model: nn.Module) -> None:
    hook, runner = ChannelsLastHook(), SimpleNamespace(model=model)
    hook.before_run(runner)
    hook.before_train(runner)


def gradients(model: nn.Module, clips: Tensor) -> list[Tensor]:
    model(clips).square().mean().backward()
    return [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("dims", [2, 3])
def test_the_layout_goes_through_and_nothing_else_changes(dims: int) -> None:
    plain, last = Recognizer(dims), Recognizer(dims)
    use_hook(last)
    clips = torch.rand(16, 3, *(8, 12, 14)[-dims:])
    memory_format = torch.channels_last_3d if dims == 3 else torch.channels_last
    output = last(clips)
    assert output.is_contiguous(memory_format=memory_format)
    assert not output.is_contiguous()
    torch.testing.assert_close(output, plain(clips))
    torch.testing.assert_close(gradients(last, clips), gradients(plain, clips))
    for module in last.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            assert module.weight.is_contiguous(memory_format=memory_format)


def test_gradients_of_ranks_are_right(tmp_path: Path) -> None:
    """torch would permute them if the weights were laid out anew after wrapping."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/ranks", rank=0, world_size=1)
    try:
        plain, wrapped = Recognizer(), MMDistributedDataParallel(Recognizer(), device_ids=None)
        use_hook(wrapped)
        assert all(parameter.is_contiguous() for parameter in wrapped.parameters())
        clips = torch.rand(2, 3, 8, 12, 14)
        torch.testing.assert_close(gradients(wrapped, clips), gradients(plain, clips))
    finally:
        dist.destroy_process_group()


def test_other_devices_are_left_alone() -> None:
    model = Recognizer()
    ChannelsLastHook(devices=["cuda"]).before_run(SimpleNamespace(model=model))
    assert model(torch.rand(2, 3, 8, 12, 14)).is_contiguous()


class Layouts(Hook):
    """Whether what a layer in the middle of the network sees is in the usual layout."""

    def before_train(self, runner) -> None:
        self.usual: set[bool] = set()
        norm = runner.model.backbone.layer3[0].conv1.bn
        norm.register_forward_pre_hook(lambda _, args: self.usual.add(args[0].is_contiguous()))


def test_training_and_resuming_are_the_same_within_rounding(tiny_config, tmp_path: Path) -> None:
    def run(folder: Path, hook: bool, resume: bool = False) -> dict[str, Tensor]:
        # Rounding grows from step to step, the more the faster weights move.
        cfg = tiny_config(folder, resume=resume, optim_wrapper__optimizer__lr=1e-3)
        if hook:
            cfg.custom_hooks.append(dict(type="ChannelsLastHook"))
        layouts = Layouts()
        model = train(cfg, layouts).model
        # Clips of one view come in the usual layout, those of several do not.
        assert layouts.usual == ({False} if hook else {False, True})
        return {name: parameter.detach() for name, parameter in model.named_parameters()}

    plain = run(tmp_path / "plain", hook=False)
    runs = [run(tmp_path / "last", hook=True)]
    for first in ("plain", "last"):
        work = interrupted_at(tmp_path / first / "epoch_1.pth", tmp_path / f"resumed {first}")
        runs.append(run(work, hook=first == "plain", resume=True))
    start = state(tmp_path / "plain" / "epoch_1.pth")["state_dict"]
    step = torch.cat([(weight - start[name]).flatten() for name, weight in plain.items()])
    assert step.norm() > 0
    for weights in runs:
        other = torch.cat([(weights[name] - start[name]).flatten() for name in plain])
        assert (other - step).norm() < 1e-3 * step.norm()
