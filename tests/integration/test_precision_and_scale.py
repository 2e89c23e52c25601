"""Every knob of docs/precision_and_scale.md: it trains, it matters, and it resumes exactly."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.runner import Runner

from slic_mmaction.losses import triplet
from slic_mmaction.pseudo_labels import labelling

from ..runs import assert_same, interrupted_at, state, train

WEIGHT = "cls_head.projection.0.weight"
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
needs_optimizers = pytest.mark.skipif(
    importlib.util.find_spec("pytorch_optimizer") is None, reason="pytorch_optimizer is missing"
)


def layerwise(name: str, lr: float) -> dict:
    """The documented snippet with a learning rate for eight videos."""
    return dict(
        optim_wrapper=dict(
            optimizer=dict(
                _delete_=True, type=f"pytorch_optimizer.{name}", lr=lr, weight_decay=1e-4
            ),
            paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
        )
    )


KNOBS: dict[str, dict] = {
    "none": dict(),
    "compile": dict(),
    # Three iterations in an epoch and two for an update: pending gradients at the first one's end.
    "accumulation": dict(
        optim_wrapper=dict(accumulative_counts=2),
        train_dataloader=dict(batch_size=3),
        default_hooks=dict(checkpoint=dict(interval=2)),
    ),
    "EMA": dict(train_cfg=dict(val_interval=1)),
    "SyncBN": dict(model=dict(backbone=dict(norm_cfg=dict(type="SyncBN", requires_grad=True)))),
    "bfloat16": dict(optim_wrapper=dict(type="AmpOptimWrapper", dtype="bfloat16")),
    # What configs/_base_/gpu_runtime.py has, on a CPU.
    "bfloat16 hook": dict(default_hooks=dict(bfloat16=dict(type="BFloat16Hook", devices=["cpu"]))),
    "float16": dict(optim_wrapper=dict(type="AmpOptimWrapper", dtype="float16")),
    "LARS": layerwise("LARS", 10.0),
    "LAMB": layerwise("Lamb", 0.01),
}


def config(tiny_config: Any, knob: str, work: Path, epochs: int, **options: Any) -> Config:
    cfg = tiny_config(work, train_cfg__max_epochs=epochs, **options)
    # bfloat16 without oneDNN takes seconds for a stem of 7x7x7.
    cfg.model.backbone.conv1_kernel = (1, 3, 3)
    cfg.merge_from_dict(KNOBS[knob])
    if knob == "EMA":
        cfg.custom_hooks.append(dict(type="EMAHook", momentum=0.1, update_buffers=True))
    if knob == "compile":
        # Traces forward and backward like the default, and runs them without a C++ compiler.
        cfg.custom_hooks.append(dict(type="CompileBackboneHook", backend="aot_eager"))
    return cfg


def watched(cfg: Config) -> tuple[Runner, dict[bool, torch.Tensor]]:
    """A Runner, and a weight as its last forward passes saw it, by whether in training."""
    runner = Runner.from_cfg(cfg)
    seen: dict[bool, torch.Tensor] = {}
    runner.model.register_forward_pre_hook(
        lambda model, _: seen.update({model.training: model.state_dict()[WEIGHT].clone()})
    )
    return runner, seen


def resumes_exactly(make: Callable[..., Config], folder: Path, epochs: int) -> None:
    """Hold the run ``folder / "whole"`` against one that was interrupted at half time."""
    work = interrupted_at(folder / "whole" / f"epoch_{epochs // 2}.pth", folder / "parts")
    train(make(work, epochs, resume=True))
    ours, theirs = (state(folder / run / f"epoch_{epochs}.pth") for run in ("whole", "parts"))
    for part in ("state_dict", "ema_state_dict", "optimizer", "pseudo_labels"):
        assert_same(ours.get(part), theirs.get(part), part)


@pytest.fixture
def amp_on_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let ``AmpOptimWrapper`` start where there is no GPU; its autocast knows CPUs.

    Without oneDNN: that of torch 2.13 writes beyond its memory in the backward pass of a bfloat16
    convolution of 7x7x7 (seen with glibc's malloc checks), which ends some runs.
    """
    if not torch.cuda.is_available():
        monkeypatch.setattr(amp_optimizer_wrapper, "is_cuda_available", lambda: True)
    with torch.backends.mkldnn.flags(enabled=torch.cuda.is_available()):
        yield


@pytest.mark.parametrize(
    "knob",
    [
        "SyncBN",
        "compile",
        "bfloat16",
        "bfloat16 hook",
        pytest.param("float16", marks=needs_gpu),
        pytest.param("LARS", marks=needs_optimizers),
        pytest.param("LAMB", marks=needs_optimizers),
    ],
)
def test_trains_and_resumes(
    knob: str, tiny_config: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    make = partial(config, tiny_config, knob)
    # One process has no one to synchronise with: MMEngine puts BatchNorm back.
    plain = train(config(tiny_config, "none", tmp_path / "none", 1)).model.state_dict()
    if "float16" in knob:
        request.getfixturevalue("amp_on_cpu")
    runner = train(make(tmp_path / "whole", 2))
    assert all(torch.isfinite(value).all() for value in runner.model.parameters())
    assert (runner.model.backbone._compiled_call_impl is None) == (knob != "compile")
    first = state(tmp_path / "whole" / "epoch_1.pth")["state_dict"]
    same = all(torch.equal(value, plain[name]) for name, value in first.items())
    assert same == (knob in ("SyncBN", "compile"))
    resumes_exactly(make, tmp_path, 2)


def test_ema_is_validated_and_saved_but_not_clustered(tiny_config: Any, tmp_path: Path) -> None:
    """Pseudo-labels come from the current weights, as in the paper."""
    runner, seen = watched(config(tiny_config, "EMA", tmp_path / "whole", 2))
    runner.train()
    current, average = runner.model.state_dict(), seen[False]
    saved = state(tmp_path / "whole" / "epoch_2.pth")
    assert torch.equal(saved["state_dict"][WEIGHT], average)
    assert torch.equal(saved["ema_state_dict"][f"module.{WEIGHT}"], current[WEIGHT])
    assert not torch.equal(average, current[WEIGHT])

    plain = train(config(tiny_config, "none", tmp_path / "none", 2))
    assert_same(dict(plain.model.state_dict()), dict(current))
    assert torch.equal(*(r.train_dataloader.dataset.store.labels for r in (runner, plain)))
    resumes_exactly(partial(config, tiny_config, "EMA"), tmp_path, 2)

    load_from = str(tmp_path / "whole" / "epoch_2.pth")
    tester, seen = watched(config(tiny_config, "none", tmp_path / "test", 2, load_from=load_from))
    tester.test()
    assert torch.equal(seen[False], average)


def test_average_is_clustered_where_a_config_says_so(
    tiny_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(work: Path, epochs: int, **options: Any) -> Config:
        cfg = config(tiny_config, "EMA", work, epochs, **options)
        cfg.custom_hooks[0].averaged = True
        return cfg

    embedded: list[torch.Tensor] = []
    embed = labelling.embed_videos

    def spy(model: Any, *args: Any) -> torch.Tensor:
        embedded.append(model.state_dict()[WEIGHT].clone())
        return embed(model, *args)

    monkeypatch.setattr(labelling, "embed_videos", spy)
    train(make(tmp_path / "whole", 2))
    first = state(tmp_path / "whole" / "epoch_1.pth")
    assert len(embedded) == 2 and torch.equal(embedded[1], first["state_dict"][WEIGHT])
    assert not torch.equal(embedded[1], first["ema_state_dict"][f"module.{WEIGHT}"])
    resumes_exactly(make, tmp_path, 2)

    cfg = make(tmp_path / "refused", 1)
    del cfg.custom_hooks[1]
    with pytest.raises(ValueError, match=r"averaged=True.* nothing averages them: add"):
        train(cfg)


def test_accumulated_gradients_are_not_cut_by_a_checkpoint(
    tiny_config: Any, tmp_path: Path
) -> None:
    make = partial(config, tiny_config, "accumulation")
    whole = train(make(tmp_path / "whole", 4))
    assert len(whole.train_dataloader) == 3
    resumes_exactly(make, tmp_path, 4)

    cfg = make(tmp_path / "refused", 4)
    cfg.default_hooks.checkpoint.interval = 1
    with pytest.raises(ValueError, match=r"interval to a multiple of 2, or .* a divisor of 3"):
        train(cfg)

    work = interrupted_at(tmp_path / "whole" / "epoch_2.pth", tmp_path / "between")
    saved = state(work / "epoch_2.pth")
    saved["meta"].update(epoch=1, iter=3)
    torch.save(saved, work / "epoch_2.pth")
    with pytest.raises(ValueError, match=r"saved between two updates \(3 iterations"):
        train(make(work, 4, resume=True))


def test_autocast_keeps_losses_and_mining_in_float32(
    tiny_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Runner.from_cfg(config(tiny_config, "none", tmp_path, 1))
    dataset = runner.build_dataloader(runner._train_dataloader).dataset
    batch = [dataset[i] for i in range(8)]
    data = {key: [sample[key] for sample in batch] for key in ("inputs", "data_samples")}
    data = runner.model.data_preprocessor(data, training=True)
    mined: list[torch.dtype] = []
    mine = triplet.mine_negatives

    def spy(distances: torch.Tensor, *args: Any) -> Any:
        mined.append(distances.dtype)
        return mine(distances, *args)

    monkeypatch.setattr(triplet, "mine_negatives", spy)
    embedded: list[torch.dtype] = []
    runner.model.cls_head.projection.register_forward_hook(
        lambda module, _, embedding: embedded.append(embedding.dtype)
    )
    full = runner.model(**data, mode="loss")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = runner.model(**data, mode="loss")
    assert embedded == [torch.float32, torch.bfloat16]
    assert mined == [torch.float32, torch.float32]
    for name in ("loss_triplet", "loss_temporal"):
        assert half[name].dtype == torch.float32
        torch.testing.assert_close(half[name], full[name], atol=0.05, rtol=0.1)
