"""Finetuning starts from the pretrained backbone, or it does not start."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from slic_mmaction.checkpoints import convert_checkpoint
from slic_mmaction.compat.checkpoints import load_from_local
from slic_mmaction.hooks import BackboneLoadingHook

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[1] / "data" / "tiny_finetune.py"


@pytest.fixture
def finetune(video_set: Path, tmp_path: Path) -> Callable[..., Runner]:
    counter = itertools.count()

    def make(load_from: Path | None = None, resume: bool = False, **options: object) -> Runner:
        cfg = Config.fromfile(TINY)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.ann_file = str(video_set / "train.txt")
            loader.dataset.data_prefix = dict(video=str(video_set))
        cfg.work_dir = str(tmp_path / "finetune")
        cfg.experiment_name = f"{tmp_path.name}-{next(counter)}"
        cfg.load_from = None if load_from is None else str(load_from)
        cfg.resume = resume
        cfg.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
        return Runner.from_cfg(cfg)

    return make


@pytest.fixture
def pretrained(tiny_config, tmp_path: Path) -> Path:
    init_default_scope("mmaction")
    model = MODELS.build(tiny_config().model)
    torch.save(dict(meta=dict(epoch=1), state_dict=model.state_dict()), tmp_path / "slic.pth")
    return tmp_path / "slic.pth"


def log_of(runner: Runner) -> str:
    return Path(runner.log_dir, f"{runner.timestamp}.log").read_text()


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_from_local(str(path), "cpu")["state_dict"]


def test_the_backbone_is_taken_and_the_projection_head_is_dropped(finetune, pretrained) -> None:
    runner = finetune(pretrained)
    runner.load_or_resume()
    before = weights(pretrained)
    backbone = runner.model.backbone.state_dict()
    assert len(backbone) == 120
    for name, tensor in backbone.items():
        torch.testing.assert_close(tensor, before[f"backbone.{name}"], rtol=0, atol=0)
    said = log_of(runner)
    assert "cls_head │ unexpected, left out" in said and "cls_head.projection.0.weight" in said
    assert "cls_head │ missing in the checkpoint" in said
    assert "backbone │ missing" not in said and "backbone │ unexpected" not in said


def test_finetune_resume_and_test(finetune, tiny_config, tmp_path: Path) -> None:
    """From a checkpoint as a pretraining writes it, with pseudo-labels and histories."""
    Runner.from_cfg(tiny_config(tmp_path / "slic", train_cfg__max_epochs=1)).train()
    runner = finetune(tmp_path / "slic" / "epoch_1.pth")
    runner.train()
    groups = runner.optim_wrapper.param_groups
    rates = {group["lr"] for group in groups}
    assert rates == {1e-3, 1e-4} and {group["weight_decay"] for group in groups} == {1e-3}
    assert isinstance(runner.optim_wrapper.optimizer, torch.optim.Adam)
    tuned = tmp_path / "finetune" / "epoch_1.pth"
    resumed = finetune(resume=True, train_cfg__max_epochs=2)
    resumed.train()
    assert resumed.epoch == 2 and "missing in the checkpoint" not in log_of(resumed)
    tested = finetune(tuned)
    assert set(tested.test()) == {f"finetune/center/{m}" for m in ("top1", "top5", "mean1")}
    head = tested.model.cls_head.fc_cls.weight
    torch.testing.assert_close(head, weights(tuned)["cls_head.fc_cls.weight"], rtol=0, atol=0)


def test_a_classifier_of_other_classes_is_dropped(finetune, pretrained, tmp_path: Path) -> None:
    finetune(pretrained).train()
    tuned = tmp_path / "finetune" / "epoch_1.pth"
    runner = finetune(tuned, model__cls_head__num_classes=3)
    runner.load_or_resume()
    assert runner.model.cls_head.fc_cls.out_features == 3
    said = log_of(runner)
    assert "cls_head │ other shape, left out" in said and "size mismatch" not in said


def test_a_random_classifier_is_not_tested(finetune, pretrained) -> None:
    with pytest.raises(ValueError, match="no classifier for this config"):
        finetune(pretrained).test()
    with pytest.raises(ValueError, match="no classifier for this config"):
        finetune(pretrained).val()


def test_no_checkpoint_is_not_finetuned(finetune) -> None:
    with pytest.raises(ValueError, match=r"load_from=CHECKPOINT.*scratch"):
        finetune().train()


def test_from_scratch_needs_no_checkpoint(finetune) -> None:
    runner = finetune(custom_hooks=[], optim_wrapper__paramwise_cfg=None)
    runner.train()
    assert runner.epoch == 1 and [g["lr"] for g in runner.optim_wrapper.param_groups] == [1e-3]


def test_strange_names_stop_the_run(finetune, pretrained, tmp_path: Path) -> None:
    path = tmp_path / "strange.pth"
    state = {f"net.{name}": tensor for name, tensor in weights(pretrained).items()}
    torch.save(dict(state_dict=state), path)
    with pytest.raises(ValueError) as stop:
        finetune(path).train()
    said = str(stop.value)
    assert "0% of the backbone's parameters" in said and "net.backbone.conv1.conv.weight" in said
    assert "looks for backbone.conv1.conv.weight" in said


def test_the_authors_names_are_recognised(finetune, pretrained, tmp_path: Path) -> None:
    path = tmp_path / "theirs.pth.tar"
    theirs, _ = convert_checkpoint(dict(state_dict=weights(pretrained)), "authors")
    torch.save(theirs, path)
    with pytest.raises(ValueError, match=r"these are authors names: .*convert_checkpoint\.py"):
        finetune(path).train()


def test_another_width_stops_the_run(finetune, pretrained) -> None:
    with pytest.raises(ValueError, match="another width or depth"):
        finetune(pretrained, model=dict(backbone=dict(base_channels=8))).train()


def test_a_partly_fitting_backbone_is_a_matter_of_the_threshold(finetune, pretrained) -> None:
    """The stem is 3 % of this backbone's values."""
    runner = finetune(pretrained, model__backbone__conv1_kernel=(3, 7, 7))
    runner.load_or_resume()
    assert "backbone │ other shape, left out" in log_of(runner)
    strict = [dict(type="BackboneLoadingHook", min_matched=1.0)]
    with pytest.raises(ValueError, match="less than 100%"):
        finetune(
            pretrained, model__backbone__conv1_kernel=(3, 7, 7), custom_hooks=strict
        ).load_or_resume()


def test_weights_without_a_wrapper_load_too(finetune, pretrained, tmp_path: Path) -> None:
    path = tmp_path / "bare.pth"
    state = {f"module.{name}": tensor for name, tensor in weights(pretrained).items()}
    torch.save(state, path)
    runner = finetune(path)
    runner.load_or_resume()
    stem = runner.model.backbone.conv1.conv.weight
    torch.testing.assert_close(stem, state["module.backbone.conv1.conv.weight"], rtol=0, atol=0)


def test_threshold_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"in 0\.\.1"):
        BackboneLoadingHook(min_matched=1.5)
