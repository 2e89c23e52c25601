from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from slic_mmaction.hooks import ChannelsLastHook
from slic_mmaction.hooks.channels_last_hook import (
    FlatBatchNorm3d,
    FoldedConv3d,
    lay_out_weights,
    use_channels_last,
)

from ..runs import interrupted_at, state, train

ROOT = Path(__file__).parents[2]


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


@given(
    kernel=st.tuples(*[st.integers(1, 7)] * 3),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(2, 3)),
    padding=st.tuples(*[st.integers(0, 3)] * 3),
    size=st.tuples(*[st.integers(7, 12)] * 3),
    channels=st.integers(1, 4),
)
@settings(deadline=None, max_examples=60)
def test_a_folded_convolution_computes_the_same(kernel, stride, padding, size, channels) -> None:
    torch.manual_seed(0)
    layer = nn.Conv3d(channels, 5, kernel, stride, padding).double()
    clips = torch.randn(2, channels, *size, dtype=torch.float64, requires_grad=True)
    inputs = (clips, *layer.parameters())
    expected = layer(clips)
    toward = torch.randn_like(expected)
    gradients = torch.autograd.grad(expected, inputs, toward)
    assert FoldedConv3d.suits(layer)
    layer.__class__ = FoldedConv3d
    output = layer(clips)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(torch.autograd.grad(output, inputs, toward), gradients)


def test_layers_with_a_faster_shape_keep_their_state() -> None:
    """Statistics, evaluation and copies are those of the stock layers."""
    stem = nn.Conv3d(3, 16, 7, (1, 2, 2), 3, bias=False)
    plain = nn.Sequential(stem, nn.BatchNorm3d(16), nn.ReLU(), nn.Conv3d(16, 4, 3))
    last = deepcopy(plain)
    use_channels_last(last)
    lay_out_weights(last)
    assert [type(layer) for layer in last[:2]] == [FoldedConv3d, FlatBatchNorm3d]
    assert type(last[3]) is nn.Conv3d
    copy = deepcopy(last)
    clips = torch.rand(4, 3, 8, 13, 15)
    for network in (plain, last, copy):
        network(clips)
    torch.testing.assert_close(last.state_dict(), plain.state_dict())
    torch.testing.assert_close(copy.state_dict(), plain.state_dict())
    torch.testing.assert_close(last.eval()(clips), plain.eval()(clips))
    with torch.autocast("cpu", torch.bfloat16):
        assert last[0](clips).dtype == torch.bfloat16


class Copies(TorchDispatchMode):
    """The copies of tensors as large as the activations of a batch."""

    def __init__(self, elements: int) -> None:
        super().__init__()
        self.elements = elements
        self.shapes: list[torch.Size] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        copies = function.overloadpacket in (torch.ops.aten.clone, torch.ops.aten.copy_)
        if copies and args[0].numel() == self.elements:
            self.shapes.append(args[0].shape)
        return function(*args, **(kwargs or {}))


def test_a_step_of_a_zoo_network_copies_no_activations() -> None:
    with DefaultScope.overwrite_default_scope("mmaction"):
        network = MODELS.build(Config.fromfile(ROOT / "configs/slic_r3d_ucf101.py").model.backbone)
    use_channels_last(network)
    lay_out_weights(network)
    assert type(network.conv1.conv) is FoldedConv3d
    assert type(network.layer1[0].conv1.bn) is FlatBatchNorm3d
    features = network(torch.rand(2, 3, 4, 32, 32))
    with Copies(elements=2 * 64 * 4 * 16 * 16) as copies:
        features.sum().backward()
    assert not copies.shapes


@pytest.mark.parametrize(
    "options",
    [dict(groups=3), dict(dilation=2), dict(padding_mode="reflect"), dict(stride=1), dict()],
)
def test_other_convolutions_are_not_folded(options: dict) -> None:
    channels = 3 if options else 8
    assert not FoldedConv3d.suits(nn.Conv3d(channels, 6, 3, **{"stride": 2, **options}))
    assert not FoldedConv3d.suits(nn.Conv3d(3, 6, 3, padding="same"))


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
        # With small steps, rounding mines no other negative and closes no other ReLU.
        cfg = tiny_config(folder, resume=resume, optim_wrapper__optimizer__lr=1e-4)
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
