"""Every shipped config builds, trains one iteration and is evaluated."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest
import torch
import yaml
from mmaction.registry import MODELS, TASK_UTILS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner import Runner

CONFIGS = Path(__file__).parents[2] / "configs"
# Those of configs/backbones are tried in test_backbones.py.
EXPERIMENTS = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob("*.py")
    if not {"_base_", "backbones"} & set(path.parts)
)
# What a run looks at: other keys are variables of the config files.
USED = re.compile(r"model|\w+_(dataloader|evaluator|cfg|wrapper|scheduler|hooks|imports)")
# Values that make no other run of one iteration.
NUMBERS = re.compile(
    r'"(num_classes|p_same_video|max_epochs|interval|mean|std)": (\[[^\]]*\]|[^,}]*)'
)


@pytest.fixture(scope="module")
def built(build):
    """Build a model, or recall one with the same config."""
    models: dict[str, torch.nn.Module] = {}

    def make(model: Config) -> torch.nn.Module:
        key = json.dumps(model, sort_keys=True)
        if key not in models:
            models[key] = build(model)
        return models[key]

    return make


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_config_builds(name: str, load, built) -> None:
    cfg = load(name)
    assert cfg.default_scope == "mmaction" and cfg.custom_imports.imports[0] == "slic_mmaction"
    assert built(cfg.model).cls_head.in_channels == cfg.model.cls_head.in_channels
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        if cfg.get(loader):
            Compose(cfg[loader].dataset.pipeline)
    for hook in cfg.get("custom_hooks") or []:
        if hook.type == "PseudoLabelHook" and hook.clusterer is not None:
            TASK_UTILS.build(hook.clusterer)
            Compose(hook.get("pipeline", []))  # motion descriptors need none


@pytest.fixture(scope="module")
def tried() -> dict[str, str]:
    """Name of the config that was run, by what it does."""
    return {}


def save_weights(model: dict, path: Path) -> str:
    """Write random weights of a model, for configs that begin from a checkpoint."""
    torch.save(dict(meta={}, state_dict=MODELS.build(model).state_dict()), path)
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_one_iteration_and_one_evaluation(
    name: str, load, stand_in, tried: dict[str, str], tmp_path: Path
) -> None:
    cfg = stand_in(name)
    recipe = {key: value for key, value in cfg.to_dict().items() if USED.fullmatch(key)}
    text = NUMBERS.sub("", json.dumps(recipe, sort_keys=True).replace(str(tmp_path), ""))
    if tried.setdefault(text, name) != name:
        return  # Made small, it is another config but for those numbers and the names of files.
    if cfg.get("train_cfg"):
        # The training set has two batches; one iteration is enough.
        cfg.train_dataloader.batch_size = 8
        cfg.train_cfg.max_epochs = cfg.train_cfg.val_interval = 1
        if any(hook.type == "BackboneLoadingHook" for hook in cfg.get("custom_hooks") or []):
            # The same backbone under SLIC's head, as pretraining leaves it.
            slic = stand_in("slic_r3d_ucf101.py").model
            slic.backbone = cfg.model.backbone
            cfg.load_from = save_weights(slic, tmp_path / "slic.pth")
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert (runner.epoch, runner.iter) == (1, 1)
        assert all(torch.isfinite(p).all() for p in runner.model.parameters())
        evaluated = any(name.startswith("val/") for name in runner.message_hub.log_scalars)
        assert evaluated or runner.val_loop is None
    if cfg.get("test_cfg"):
        cfg.experiment_name += "-test"
        cfg.load_from = save_weights(cfg.model, tmp_path / "trained.pth")
        metrics = Runner.from_cfg(cfg).test()
        assert metrics and all(value >= 0 for value in metrics.values())


def test_metafiles_are_those_of_the_configs(load) -> None:
    script = runpy.run_path(str(CONFIGS.parent / "tools" / "dev" / "metafiles.py"))
    for name, text in script["contents"](load).items():
        assert (CONFIGS.parent / name).read_text() == text, "run `python tools/dev/metafiles.py`"
    index = yaml.safe_load((CONFIGS.parent / "model-index.yml").read_text())
    assert {CONFIGS.parent / name for name in index["Import"]} == set(CONFIGS.rglob("metafile.yml"))
    for metafile in CONFIGS.rglob("metafile.yml"):
        models = yaml.safe_load(metafile.read_text())["Models"]
        here = sorted(path.relative_to(CONFIGS.parent) for path in metafile.parent.glob("*.py"))
        assert [Path(model["Config"]) for model in models] == here
        for model in models:
            backbone = load(model["Config"].removeprefix("configs/")).model.backbone
            assert model["Metadata"]["Architecture"].split("-")[0] == backbone.type
            assert model["Weights"] == "not published" and "Results" not in model
