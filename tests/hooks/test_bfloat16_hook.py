"""Training and resuming under the hook: tests/integration/test_precision_and_scale.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor, nn

from slic_mmaction.hooks import BFloat16Hook


class Recognizer(nn.Linear):
    def loss(self, values: Tensor) -> Tensor:
        return self(values)

    def predict(self, values: Tensor) -> Tensor:
        return self(values)


def prepared(wrapper: type = OptimWrapper, **options: Any) -> Recognizer:
    model = Recognizer(4, 4)
    runner = SimpleNamespace(model=model, optim_wrapper=wrapper.__new__(wrapper))
    BFloat16Hook(**options).before_run(runner)
    return model


def test_losses_are_in_bfloat16_on_chosen_devices_and_nothing_else() -> None:
    values = torch.rand(2, 4)
    model = prepared(devices=["cpu"])
    assert model.loss(values).dtype == torch.bfloat16
    assert model.predict(values).dtype == torch.float32
    model.loss(values).float().sum().backward()
    assert model.weight.grad.dtype == torch.float32
    for left_alone in (prepared(), prepared(AmpOptimWrapper, devices=["cpu"])):
        assert left_alone.loss(values).dtype == torch.float32


@pytest.mark.filterwarnings("ignore:.*CUDA is not available")
def test_gpus_without_bfloat16_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for capability, used in (((7, 5), False), ((8, 0), True), ((9, 0), True)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, c=capability: c)
        model = SimpleNamespace(
            parameters=lambda: iter([SimpleNamespace(device=torch.device("cuda"))]), loss=print
        )
        BFloat16Hook().before_run(SimpleNamespace(model=model, optim_wrapper=None))
        assert (model.loss is not print) == used
