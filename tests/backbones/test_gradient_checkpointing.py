"""``with_cp``: memory for time, with the same gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
from torch import nn

FAMILIES = ["R3D", "SlowOnly", "Swin", "X3D", "MobileNetV2"]
# torch recommends another kind of checkpoint than the one that MMAction2's classes ask for.
pytestmark = pytest.mark.filterwarnings("ignore:torch.utils.checkpoint:UserWarning")


def after_backward(model: nn.Module, batch: dict) -> nn.Module:
    torch.manual_seed(2)  # for stochastic depth
    losses = model(**model.data_preprocessor(batch, training=True), mode="loss")
    (losses["loss_triplet"] + losses["loss_temporal"]).backward()
    return model


@pytest.mark.parametrize(
    ("family", "options"),
    [
        *((family, {}) for family in FAMILIES),
        # The blocks of MMAction2's 2D ResNet-18 refuse it.
        pytest.param("TSN", dict(depth=50), marks=pytest.mark.slow),
    ],
)
def test_the_gradients_are_the_same(recognizer, batch, family: str, options: dict) -> None:
    plain, saving = recognizer(family, **options), recognizer(family, with_cp=True, **options)
    check_same_gradients(plain, saving, batch)


def test_a_network_without_with_cp_is_wrapped_by_mmengine(recognizer, batch) -> None:
    plain, saving = recognizer("VideoMAE"), recognizer("VideoMAE")
    runs: list[int] = []
    saving.backbone.blocks[0].attn.register_forward_pre_hook(lambda *_: runs.append(1))
    # What Runner does with cfg.activation_checkpointing.
    turn_on_activation_checkpointing(saving, ["backbone.blocks.0", "backbone.blocks.1"])
    check_same_gradients(plain, saving, batch)
    assert len(runs) == 2  # forward, and again backward


def check_same_gradients(plain: nn.Module, saving: nn.Module, batch: Callable) -> None:
    after_backward(plain, batch(plain))
    after_backward(saving, batch(saving))
    moved = 0
    for (name, ours), theirs in zip(plain.named_parameters(), saving.parameters()):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None:
            torch.testing.assert_close(theirs.grad, ours.grad, rtol=1e-4, atol=1e-7, msg=name)
            moved += bool(ours.grad.any())
    assert moved > 10


def test_running_statistics_move_twice_unless_the_momentum_is_halved(recognizer, batch) -> None:
    """The blocks are run again backward, and their BatchNorms see the batch again."""
    plain = recognizer("R3D")
    after_backward(plain, batch(plain))
    saving = recognizer("R3D", with_cp=True)
    after_backward(saving, batch(saving))
    norm = "backbone.layer2.0.conv1.bn"
    assert plain.get_submodule(norm).num_batches_tracked == 1
    assert saving.get_submodule(norm).num_batches_tracked == 2
    ours, theirs = (model.get_submodule(norm).running_mean for model in (plain, saving))
    torch.testing.assert_close(theirs, 1.9 * ours)

    momentum = 1 - math.sqrt(1 - 0.1)
    mended = recognizer("R3D", with_cp=True, norm_cfg=dict(type="BN3d", momentum=momentum))
    after_backward(mended, batch(mended))
    torch.testing.assert_close(mended.get_submodule(norm).running_mean, ours)
