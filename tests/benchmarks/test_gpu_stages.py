"""The GPU's checks see what is wrong, and its figures count what they say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch.autograd import DeviceType

from slic_mmaction.losses import PseudoLabelTripletLoss
from slic_mmaction.models import device_augment


@pytest.fixture
def settings(load_gpu, tmp_path: Path):
    return load_gpu("settings").Settings(torch.device("cpu"), True, None, tmp_path)


class AlmostTriplet(PseudoLabelTripletLoss):
    """Right in float64, where the reference is computed; a thousandth off in float32."""

    def forward(self, embeddings, labels, generator=None):
        scalars = super().forward(embeddings, labels, generator)
        factor = 1.0 if embeddings.dtype == torch.float64 else 1.001
        return {name: value * factor for name, value in scalars.items()}


def test_what_is_wrong_is_seen(load_gpu, settings, monkeypatch) -> None:
    module = load_gpu("correctness")
    monkeypatch.setitem(MODELS.module_dict, "PseudoLabelTripletLoss", AlmostTriplet)
    for precision in ("float32", "bf16"):
        result = module.check_loss(dict(type="PseudoLabelTripletLoss"), precision, settings)
        assert not result["passed"] and 5e-4 < result["error"] < 2e-3

    wrong_hue = lambda clips, shifts: clips.flip(1)  # noqa: E731
    monkeypatch.setitem(device_augment.ADJUST, device_augment.HUE, wrong_hue)
    result = module.check_augmentation(settings)
    # Both devices make the same mistake; the worker's path does not.
    assert not result["passed"] and result["worst_clip_mean_to_worker"] > 2
    assert result["error"] == 0

    real, calls = module.first_neighbors, []

    def one_wrong(rows: torch.Tensor, metric: str) -> np.ndarray:
        found = np.array(real(rows, metric))
        found[7] = (found[7] + len(calls)) % len(found)
        calls.append(metric)
        return found

    monkeypatch.setattr(module, "first_neighbors", one_wrong)
    result = module.check_clustering("cosine", settings)
    assert not result["passed"] and result["neighbours_that_differ"] == 1


def test_a_step_trains_in_the_layout_asked_for(load_gpu, settings) -> None:
    module = load_gpu("training_step")
    for layout in ("usual", "loaded", "hook"):
        step = module.TrainingStep(module.Variant("fp32", layout, 2), settings)
        last = dict(memory_format=torch.channels_last_3d)
        weight = step.model.backbone.layer1[0].conv1.conv.weight
        assert step.clips.flatten(0, 1).is_contiguous(**last) == (layout != "usual")
        assert weight.is_contiguous(**last) == (layout == "hook")
        hooks = step.model.backbone.layer1[0].conv1.conv._forward_pre_hooks
        assert bool(hooks) == (layout == "hook")
    before = weight.detach().clone()
    step()
    assert not torch.equal(before, weight)


def test_only_kernels_of_the_device_are_counted(load_gpu) -> None:
    def event(name: str, device: DeviceType, annotation: bool, begin: int, end: int):
        return SimpleNamespace(
            name=name,
            device_type=device,
            is_user_annotation=annotation,
            time_range=SimpleNamespace(start=begin, end=end),
            self_device_time_total=end - begin,
        )

    module = load_gpu("training_step")
    events = [
        event("aten::conv3d", DeviceType.CPU, False, 0, 500),
        event("Optimizer.step#SGD.step", DeviceType.CUDA, True, 0, 900),
        event("xmma_fprop", DeviceType.CUDA, False, 100, 700),
        event("elementwise_kernel", DeviceType.CUDA, False, 800, 1000),
    ]
    result = module.summarize_kernels(events, on_gpu=True)
    assert result["shares"] == dict(convolution=0.75, elementwise=0.25)
    assert result["busy_ms"] == pytest.approx(0.8 / module.PROFILED_STEPS)
    assert result["span_ms"] == pytest.approx(0.9 / module.PROFILED_STEPS)
    assert [kernel["name"] for kernel in result["kernels"]] == ["xmma_fprop", "elementwise_kernel"]
    with pytest.raises(RuntimeError, match="recorded nothing"):
        module.summarize_kernels([], on_gpu=True)


def test_the_call_of_the_experiments(load_gpu, settings, tmp_path: Path) -> None:
    pretraining = load_gpu("pretraining")
    large = settings.__class__(torch.device("cpu"), False, None, tmp_path)
    assert pretraining.run_seed(("slic",), 0, 1, large) == dict(skipped="needs videos: --data")
    call = pretraining.command(("slic", "instance"), 3, 7, tmp_path / "data", large)
    for name, values in (("--arms", ["slic", "instance"]), ("--seeds", ["3"]), ("--epochs", ["7"])):
        at = call.index(name) + 1
        assert call[at : at + len(values)] == values
    options = dict(option.split("=", 1) for option in call[call.index("--cfg-options") + 1 :])
    cfg = Config.fromfile(call[call.index("--config") + 1])
    cfg.merge_from_dict(options)
    training, evaluation = cfg.train_dataloader.dataset, cfg.evaluation_dataset
    hook = cfg.custom_hooks[0]
    assert hook.type == "PseudoLabelHook"
    for pipeline in (training.pipeline, hook.pipeline, evaluation.pipeline):
        assert pipeline[0].path == str(tmp_path / "frames")
        assert {s.clip_len for s in pipeline if "clip_len" in s} == {8}
    sets = (training.dataset, evaluation.gallery, evaluation.query)
    assert [videos.ann_file for videos in sets] == [
        str(tmp_path / "data" / f"{split}_split1.txt") for split in ("train", "train", "test")
    ]


def test_the_table_has_the_last_epoch_that_all_seeds_have_reached(load_gpu) -> None:
    module = load_gpu("pretraining")
    others = dict.fromkeys(("R@1", "R@5", "kNN"), 1.0)

    def figures(epochs: list[int], gain: float) -> list[dict]:
        return [
            {"epoch": e, "feature": feature, "mAP": 20 + gain * e, **others}
            for e in epochs
            for feature in ("backbone", "projection")
        ]

    results = {}
    for seed, epochs in ((0, 25), (0, 100), (1, 25)):
        reached = [e for e in (0, 25, 50, 100) if e <= epochs]
        arms = dict(slic=figures(reached, 0.2), instance=figures(reached, 0.1))
        results[f"seed {seed}, {epochs} epochs"] = dict(seed=seed, epochs=epochs, figures=arms)
    table = module.table(results)
    slic = next(line for line in table.splitlines() if line.startswith("| slic | 25 | 2 |"))
    assert slic.count("25.0") == 2
    gain = table.split("less instance")[1].split("| slic |")[1]
    assert gain.count("2.5 ± 0.0") == 2
