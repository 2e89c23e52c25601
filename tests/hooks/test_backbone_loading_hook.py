"""Finetuning starts from the pretrained backbone, or it does not start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner

from slic_mmaction.checkpoints.convert import convert_checkpoint
from slic_mmaction.hooks import BackboneLoadingHook

from ..runs import hook_of, log_of, state, train

TINY = Path(__file__).parents[1] / "data" / "tiny_finetune.py"


@pytest.fixture
def finetune(video_set: Path, tmp_path: Path) -> Callable[..., Config]:
    def make(load_from: Path | None = None, **options: object) -> Config:
        cfg = Config(Config.fromfile(TINY).to_dict(), filename=TINY, format_python_code=False)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.update(
                ann_file=str(video_set / "train.txt"),
                data_prefix=dict(video=str(video_set)),
                serialize_data=False,
            )
        cfg.work_dir = str(tmp_path / "finetune")
        make.number += 1
        cfg.experiment_name = f"{tmp_path.name}-{make.number}"
        cfg.load_from = load_from and str(load_from)
        cfg.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
        return cfg

    make.number = 0
    return make


@pytest.fixture
def pretrained(tiny_config, tmp_path: Path) -> Path:
    model = MODELS.build(tiny_config().model)
    torch.save(dict(meta=dict(epoch=1), state_dict=model.state_dict()), tmp_path / "slic.pth")
    return tmp_path / "slic.pth"


def loaded(cfg: Config) -> Runner:
    runner = Runner.from_cfg(cfg)
    runner.load_or_resume()
    return runner


def test_the_backbone_is_taken_and_the_projection_head_is_dropped(
    finetune, pretrained, tmp_path: Path
) -> None:
    bare = {f"module.{name}": tensor for name, tensor in state(pretrained)["state_dict"].items()}
    torch.save(bare, tmp_path / "bare.pth")
    for path in (pretrained, tmp_path / "bare.pth"):
        runner = loaded(finetune(path))
        backbone = runner.model.backbone.state_dict()
        assert len(backbone) == 120
        for name, tensor in backbone.items():
            assert torch.equal(tensor, bare[f"module.backbone.{name}"])
    said = log_of(runner)
    assert "cls_head │ unexpected, left out" in said and "cls_head.projection.0.weight" in said
    assert "cls_head │ missing in the checkpoint" in said
    assert "backbone │ missing" not in said and "backbone │ unexpected" not in said


def test_finetune_resume_and_test(finetune, tiny_config, tmp_path: Path, capfd) -> None:
    """From a checkpoint as a pretraining writes it, with pseudo-labels and histories."""
    train(tiny_config(tmp_path / "slic", train_cfg__max_epochs=1))
    capfd.readouterr()
    groups = train(finetune(tmp_path / "slic" / "epoch_1.pth")).optim_wrapper.param_groups
    said = capfd.readouterr().out
    assert f"weights: {tmp_path}/slic/epoch_1.pth\nepoch 1 of 1: loss " in said
    assert "do not match" not in said
    assert ", training accuracy " in said and "finetune/center: 8 videos\n" in said
    assert len([line for line in said.splitlines() if line.endswith(" 50.0 %")]) == 2
    rates = {group["lr"] for group in groups}
    assert rates == {1e-3, 1e-4} and {group["weight_decay"] for group in groups} == {1e-3}
    tuned = tmp_path / "finetune" / "epoch_1.pth"
    resumed = train(finetune(resume=True, train_cfg__max_epochs=2))
    assert resumed.epoch == 2 and not hook_of(resumed, "BackboneLoadingHook")._report.missing
    tested = Runner.from_cfg(finetune(tuned))
    assert set(tested.test()) == {f"finetune/center/{m}" for m in ("top1", "top5", "mean1")}
    head = tested.model.cls_head.fc_cls.weight
    assert torch.equal(head, state(tuned)["state_dict"]["cls_head.fc_cls.weight"])

    other = loaded(finetune(tuned, model__cls_head__num_classes=3))
    assert other.model.cls_head.fc_cls.out_features == 3
    said = log_of(other)
    assert "cls_head │ other shape, left out" in said and "size mismatch" not in said


def test_nothing_random_is_tested_and_nothing_is_finetuned_from_nothing(
    finetune, pretrained, capfd
) -> None:
    for work in ("test", "val"):
        with pytest.raises(ValueError, match="no classifier for this config"):
            getattr(Runner.from_cfg(finetune(pretrained)), work)()
    with pytest.raises(ValueError, match=r"load_from=CHECKPOINT.*scratch"):
        train(finetune())
    capfd.readouterr()
    runner = train(finetune(pretrained, custom_hooks=[], optim_wrapper__paramwise_cfg=None))
    said = capfd.readouterr().out  # what MMEngine says, where there is no hook to judge it
    assert "WARNING: " in said and "do not match exactly" in said and "cls_head.fc_cls" in said
    assert runner.epoch == 1 and [g["lr"] for g in runner.optim_wrapper.param_groups] == [1e-3]


def test_a_backbone_that_does_not_fit_stops_the_run(finetune, pretrained, tmp_path: Path) -> None:
    weights = state(pretrained)["state_dict"]
    strange, theirs = tmp_path / "strange.pth", tmp_path / "theirs.pth.tar"
    torch.save(dict(state_dict={f"net.{n}": tensor for n, tensor in weights.items()}), strange)
    torch.save(convert_checkpoint(dict(state_dict=weights), "authors")[0], theirs)
    with pytest.raises(ValueError) as stop:
        loaded(finetune(strange))
    said = str(stop.value)
    assert "0% of the backbone's parameters" in said and "net.backbone.conv1.conv.weight" in said
    assert "looks for backbone.conv1.conv.weight" in said
    with pytest.raises(ValueError, match=r"these are authors names: .*convert_checkpoint\.py"):
        loaded(finetune(theirs))
    with pytest.raises(ValueError, match="another width or depth"):
        loaded(finetune(pretrained, model=dict(backbone=dict(base_channels=8))))


def test_a_partly_fitting_backbone_is_a_matter_of_the_threshold(finetune, pretrained) -> None:
    """The stem is 3 % of this backbone's values."""
    stem = dict(model__backbone__conv1_kernel=(3, 7, 7))
    assert "backbone │ other shape, left out" in log_of(loaded(finetune(pretrained, **stem)))
    stem["custom_hooks"] = [dict(type="BackboneLoadingHook", min_matched=1.0)]
    with pytest.raises(ValueError, match="less than 100%"):
        loaded(finetune(pretrained, **stem))
    with pytest.raises(ValueError, match=r"in 0\.\.1"):
        BackboneLoadingHook(min_matched=1.5)
