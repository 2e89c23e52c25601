"""Stages that ``frozen_stages`` freezes: neither training nor clustering moves them."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper

from slic_mmaction.models.evaluation_mode import evaluation_mode

# The names that a class freezes with ``frozen_stages=1``.
FROZEN = {
    "R3D": ("conv1.", "layer1."),
    "SlowOnly": ("conv1.", "layer1."),
    "Swin": ("patch_embed.", "layers.0."),
    "X3D": ("conv1_s.", "conv1_t.", "layer1."),
    "TSN": ("conv1.", "layer1."),
    "MobileNetV2": ("conv1.", "layer1."),
}


@pytest.mark.parametrize("family", FROZEN)
def test_they_stay_in_training_and_clustering(recognizer, batch, family: str) -> None:
    model = recognizer(family, frozen_stages=1)
    frozen = tuple(f"backbone.{name}" for name in FROZEN[family])
    modes = {name: module.training for name, module in model.named_modules()}
    norms = [n for n in modes if n.startswith(frozen) and ("norm" in n or "bn" in n)]
    before = {name: value.clone() for name, value in model.state_dict().items()}

    # What the embedding pass of PseudoLabelHook does around its forward passes.
    with evaluation_mode(model), torch.no_grad():
        assert not any(module.training for module in model.modules())
        model(**model.data_preprocessor(batch(model)), mode="predict")
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert norms and not any(modes[name] for name in norms)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    trained = [p for p in model.parameters() if p.requires_grad]
    model.train_step(batch(model), OptimWrapper(torch.optim.SGD(trained, lr=1.0)))
    moved = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert not [name for name in moved if name.startswith(frozen)]
    rest = {n for n, p in model.named_parameters() if p.requires_grad and p.ndim > 1}
    assert len(moved & rest) > 0.9 * len(rest)
    assert not [name for name in rest if name.startswith(frozen)]
