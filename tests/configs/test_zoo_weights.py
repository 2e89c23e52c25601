"""Which weights of the zoo a family can begin with: what docs/backbones_weights.md says."""

from __future__ import annotations

import copy
import functools
import itertools
import re
from collections.abc import Callable
from pathlib import Path

import mmaction
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.fileio import load
from mmengine.runner import Runner
from torch import Tensor

from slic_mmaction.checkpoints.convert import convert_checkpoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FAMILIES = sorted(
    path.stem[len("slic_") : -len("_ucf101")]
    for path in (ROOT / "configs" / "backbones").glob("slic_*_ucf101.py")
    if "slim" not in path.stem
)
COUNTER = itertools.count()


@pytest.fixture
def zoo(small_backbone: Callable[[str], Config], tmp_path: Path) -> Callable[[str], Path]:
    """Write a checkpoint as the zoo has it, of a family's recognizer and 400 classes.

    All weights are random, those too that begin as ones or zeros.
    """

    def make(family: str) -> Path:
        cfg = small_backbone(f"finetune_{family}_ucf101")
        cfg.model.cls_head.num_classes = 400
        generator = torch.Generator().manual_seed(0)
        state = {
            name: torch.randn(value.shape, generator=generator)
            if value.is_floating_point()
            else value
            for name, value in MODELS.build(cfg.model).state_dict().items()
            if "cls_head" in name or "backbone" in name
        }
        torch.save(dict(meta=dict(epoch=30), state_dict=state), tmp_path / "recognizer.pth")
        return tmp_path / "recognizer.pth"

    return make


def weights(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def from_checkpoint(cfg: Config, path: Path, min_matched: float = 1.0) -> tuple[Runner, str]:
    """Load a checkpoint by the hook; also return what was logged."""
    runner = Runner(
        model=cfg.model,
        work_dir=cfg.work_dir,
        custom_hooks=[dict(type="BackboneLoadingHook", min_matched=min_matched)],
        default_scope="mmaction",
        experiment_name=f"{cfg.experiment_name}-{next(COUNTER)}",
    )
    runner.load_checkpoint(str(path))
    return runner, Path(runner.log_dir, f"{runner.timestamp}.log").read_text()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_recognizer_of_the_zoo_gives_its_whole_backbone(
    family: str, small_backbone, zoo, trial
) -> None:
    cfg = small_backbone(f"slic_{family}_ucf101")
    if trial.missing_package(cfg.model.backbone.type):
        pytest.skip(f"{cfg.model.backbone.type} is not installed")
    path = zoo(family)
    state = weights(path)
    runner, log = from_checkpoint(cfg, path)
    assert re.search(r"cls_head +│ unexpected, left out .*cls_head\.\w+\.weight", log)
    names = {name for name, _ in runner.model.backbone.named_parameters()}
    for name, value in runner.model.backbone.state_dict().items():
        if name in names or "running_" in name:
            assert torch.equal(value, state[f"backbone.{name}"]), name


def test_weights_of_videomae(small_backbone, tmp_path: Path) -> None:
    cfg = small_backbone("slic_videomae_ucf101")
    names = (("projection", "proj"), ("layers.0.0", "fc1"), ("layers.1", "fc2"))
    theirs = {
        functools.reduce(lambda text, pair: text.replace(*pair), names, f"encoder.{name}"): (
            torch.randn_like(value)
        )
        for name, value in MODELS.build(copy.deepcopy(cfg.model)).backbone.named_parameters()
        if "fc_norm" not in name
    }
    theirs.update({"encoder.norm.weight": torch.zeros(32), "mask_token": torch.zeros(1, 1, 8)})
    path = tmp_path / "pretrain.pth"
    torch.save(dict(model=theirs, epoch=1599), path)
    with pytest.raises(ValueError, match=r"weights under 'state_dict'.*convert_checkpoint"):
        from_checkpoint(cfg, path, 0.5)
    torch.save(dict(state_dict=theirs), path)
    with pytest.raises(ValueError, match=r"0% of the backbone.*these are videomae names"):
        from_checkpoint(cfg, path, 0.5)

    converted, _ = convert_checkpoint(dict(model=theirs), "mmaction", backbone_only=True)
    torch.save(converted, path)
    runner, log = from_checkpoint(cfg, path, 0.99)
    assert re.search(r"backbone +│ missing in the checkpoint .* backbone.pos_embed", log)
    for name, value in runner.model.backbone.named_parameters():
        if "fc_norm" not in name:
            assert torch.equal(value, converted["state_dict"][f"backbone.{name}"])


def test_the_config_that_begins_with_the_zoos_weights() -> None:
    cfg = Config.fromfile(ROOT / "configs" / "backbones" / "zoo_swin_ucf101.py")
    index = Path(mmaction.__file__).parent / ".mim/configs/recognition/swin/metafile.yml"
    entry = next(e for e in load(index)["Models"] if e["Weights"] == cfg.load_from)
    arch = Config.fromfile(index.parents[3] / entry["Config"]).model.backbone
    given = {key: value for key, value in cfg.model.backbone.items() if "pretrained" not in key}
    assert given == {key: value for key, value in arch.items() if "pretrained" not in key}
    first, *others = cfg.custom_hooks
    assert first == dict(type="BackboneLoadingHook", min_matched=0.9)
    assert [hook.type for hook in others] == ["PseudoLabelHook"]
