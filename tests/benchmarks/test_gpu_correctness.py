"""The checks pass where nothing is wrong, and see it where something is."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS

from slic_mmaction.losses import PseudoLabelTripletLoss
from slic_mmaction.models import device_augment

GPU = Path(__file__).parents[2] / "benchmarks" / "gpu"


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(str(GPU))
    return importlib.import_module


@pytest.fixture
def settings(load, tmp_path: Path):
    return load("settings").Settings(torch.device("cpu"), True, None, tmp_path)


def test_relative_error(load) -> None:
    error = load("agreement").relative_error
    ones = torch.ones(4, dtype=torch.float64)
    assert error(ones * 1.01, ones) == pytest.approx(0.01)
    assert error(ones * 2, 0 * ones) == 4.0
    assert error(torch.tensor([1.0, math.nan]), torch.ones(2)) == math.inf
    with pytest.raises(ValueError, match=r"Compared \(4,\) with \(2,\)"):
        error(ones, torch.ones(2))


def test_the_worst_error_decides(load) -> None:
    judge = load("agreement").judge
    result = judge(dict(value=1e-6, gradient=2e-3), 1e-3, told=5)
    assert result == dict(passed=False, error=2e-3, where="gradient", tolerance=1e-3, told=5)
    assert judge(dict(value=1e-3), 1e-3)["passed"]
    assert not judge(dict(value=math.inf), 1e-3)["passed"]


def test_every_registered_loss_is_checked_in_every_precision(load, settings) -> None:
    check = load("check_losses")
    registered = {
        name
        for name, cls in MODELS.module_dict.items()
        if cls.__module__.startswith("slic_mmaction.losses")
    }
    assert registered == set(check.registered_losses()) and len(registered) >= 5
    labels = [label for label, _ in check.measurements(settings)]
    for name in registered:
        for dtype in ("float64", "float32", "float16", "bfloat16"):
            assert f"{name}, {dtype}" in labels


class AlmostTriplet(PseudoLabelTripletLoss):
    """Right in float64, where the reference is computed; a thousandth off in float32."""

    def forward(self, embeddings, labels, generator=None):
        scalars = super().forward(embeddings, labels, generator)
        factor = 1.0 if embeddings.dtype == torch.float64 else 1.001
        return {name: value * factor for name, value in scalars.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_loss_that_is_a_little_off_is_seen(load, settings, monkeypatch, dtype) -> None:
    check = load("check_losses")
    config = dict(type="PseudoLabelTripletLoss")
    assert check.compare(config, dtype, settings)["passed"]
    monkeypatch.setitem(MODELS.module_dict, "PseudoLabelTripletLoss", AlmostTriplet)
    result = check.compare(config, dtype, settings)
    assert not result["passed"] and 5e-4 < result["error"] < 2e-3


def test_a_wrong_operation_on_the_device_is_seen(load, settings, monkeypatch) -> None:
    check = load("check_augmentation")
    assert check.compare(settings)["passed"]
    monkeypatch.setitem(
        device_augment.ADJUST, device_augment.HUE, lambda clips, shifts: clips.flip(1)
    )
    result = check.compare(settings)
    # Both devices make the same mistake; the worker's path does not.
    assert not result["passed"] and result["worst_clip_mean_to_worker"] > 2
    assert result["max_to_cpu"] == 0


def test_a_neighbour_that_differs_is_seen(load, settings, monkeypatch) -> None:
    check = load("check_clustering")
    assert check.compare("cosine", 300, settings)["passed"]
    real, calls = check.first_neighbors, []

    def second_one_wrong(rows, metric):
        found = np.array(real(rows, metric))
        calls.append(metric)
        if len(calls) == 2:
            found[7] = (found[7] + 1) % len(found)
        return found

    monkeypatch.setattr(check, "first_neighbors", second_one_wrong)
    result = check.compare("cosine", 300, settings)
    assert not result["passed"] and result["neighbours_that_differ"] == 1


def test_the_step_is_the_same_whenever_it_is_made(load) -> None:
    check: ModuleType = load("check_network")
    # A quarter of all draws violate no margin: their loss is 0.
    drawn = torch.Generator().manual_seed(3)
    clips = torch.randn(2, 3, 3, 2, 8, 8, dtype=torch.float64, generator=drawn)
    first, second = (check.step(clips, torch.float64, torch.device("cpu")) for _ in range(2))
    assert first["loss"].item() > 0 and first["gradients"].abs().sum() > 0
    for name, value in first.items():
        assert torch.equal(value, second[name])


def test_table_of_checks(load) -> None:
    table = load("correctness").table(
        {
            "a": dict(passed=True, error=1e-6, where="gradient", tolerance=1e-4),
            "b": dict(skipped="faiss is not installed"),
            "c": dict(failed="RuntimeError: x"),
        }
    )
    assert table.splitlines()[2:] == [
        "| a | yes | 1e-06 | 0.0001 | gradient |",
        "| b | skipped | - | - | faiss is not installed |",
        "| c | failed | - | - | RuntimeError: x |",
    ]
