"""What holds for every loss, as the head calls it."""

from __future__ import annotations

import pytest
import torch
from mmaction.registry import MODELS
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from slic_mmaction.losses import paired_distance, pairwise_distance

TRIPLET, INFO_NCE = "PseudoLabelTripletLoss", "PseudoLabelInfoNCELoss"
# By name: the config, and the views that get a gradient.
LOSSES = {
    "triplet": (dict(type=TRIPLET), [0, 1]),
    "triplet, hardest": (dict(type=TRIPLET, mining="hardest_violating"), [0, 1]),
    "triplet, random": (dict(type=TRIPLET, mining="random"), [0, 1]),
    "InfoNCE": (dict(type=INFO_NCE), [0, 1]),
    "InfoNCE, queue": (dict(type=INFO_NCE, queue_size=12, channels=16), [0, 1]),
    "temporal": (dict(type="TemporalDiscriminationLoss", margin=3.0), [0, 1, 2]),
    "speed": (dict(type="RelativeSpeedLoss", margin=3.0), [0, 1, 3]),
    "intra": (dict(type="IntraVideoNegativeLoss", margin=3.0), [0, 1, 3]),
}
LABELS = torch.tensor([0, 0, 1, 1, 2, -1, -1, 3])
each_loss = pytest.mark.parametrize("name", LOSSES)


def build(name: str) -> nn.Module:
    module = MODELS.build(LOSSES[name][0])
    if getattr(module, "queue", None) is not None:
        module.queue.use_labels(LABELS)
    return module


def embeddings() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 5, 16, generator=generator).requires_grad_()


def run(name: str, views: Tensor) -> list[dict[str, Tensor]]:
    """Two batches one after the other, so that the queue is not empty."""
    module = build(name)
    return [module(views, LABELS, torch.Generator().manual_seed(1)) for _ in range(2)]


@each_loss
def test_one_loss_with_a_gradient_and_counters_without(name: str) -> None:
    views = embeddings()
    (loss_name,) = [key for key in run(name, views)[1] if "loss" in key]  # MMEngine adds up those
    for output in run(name, views):
        for key, value in output.items():
            assert value.shape == () and value.dtype == torch.float32
            assert value.requires_grad == (key == loss_name)
        output[loss_name].backward()
    assert [v for v in range(5) if views.grad[:, v].any()] == LOSSES[name][1]


@each_loss
def test_autocast_and_half_precision_change_nothing(name: str) -> None:
    views = embeddings().detach().bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = run(name, views)
    assert inside == run(name, views) == run(name, views.float())


@each_loss
def test_the_device_need_not_be_waited_for(name: str) -> None:
    """A fake tensor has no values: .item(), nonzero() and boolean indexing raise."""
    module, mode = build(name), FakeTensorMode()
    module._apply(mode.from_tensor)
    with mode:
        output = module(torch.empty(8, 4, 16, requires_grad=True), torch.zeros(8, dtype=torch.long))
        sum(value for key, value in output.items() if "loss" in key).backward()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("distance", [pairwise_distance, paired_distance])
def test_distances_in_half_precision_are_those_in_float32(distance, metric: str) -> None:
    x, y = torch.randn(2, 30, 16).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = distance(x, y, metric)
    assert torch.equal(inside, distance(x.float(), y.float(), metric))
