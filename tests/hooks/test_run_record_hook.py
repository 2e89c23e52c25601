"""A run's record follows its weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from slic_mmaction.compat.checkpoints import load_from_local
from slic_mmaction.results.provenance import code_version, experiment_name


def record_of(runner: Runner) -> dict:
    return json.loads((Path(runner.log_dir) / "run_record.json").read_text())


@pytest.fixture
def run(tiny_config, tmp_path: Path):
    def make(name: str = "work", **options: object) -> Runner:
        return Runner.from_cfg(tiny_config(tmp_path / name, **options))

    return make


def test_weights_carry_the_record_into_the_runs_that_use_them(run, tmp_path: Path) -> None:
    pretraining = run(randomness__seed=7, train_cfg__max_epochs=1, train_cfg__val_interval=1)
    pretraining.train()
    first = record_of(pretraining)
    assert first["name"] == "tiny_slic" and first["seed"] == 7 and first["origin"] is None
    assert first["commit"] == code_version() and len(first["config_hash"]) == 8
    assert first["val_videos"] == 12
    path = tmp_path / "work" / "epoch_1.pth"
    saved = load_from_local(str(path), "cpu")["meta"]["run_record"]
    assert {**saved, "val_videos": 12} == first

    test = run("test", load_from=str(path))
    test.test()
    record = record_of(test)
    assert record["test_videos"] == 12 and record["seed"] == 0
    assert record["origin"] == {**saved, "file": str(path), "epoch": 1}


def test_a_resumed_run_stays_itself(run, tmp_path: Path) -> None:
    run(randomness__seed=7, train_cfg__max_epochs=1).train()
    path = tmp_path / "work" / "epoch_1.pth"
    run("second", load_from=str(path), randomness__seed=8, train_cfg__max_epochs=1).train()
    resumed = run("second", resume=True, randomness=dict(seed=None))
    resumed.train()
    record = record_of(resumed)
    assert record["seed"] == 8 and record["origin"]["seed"] == 7
    assert record["origin"]["file"] == str(path)


def test_a_checkpoint_without_a_record_is_known_by_its_file(run, tiny_config, tmp_path) -> None:
    init_default_scope("mmaction")
    path = tmp_path / "old" / "epoch_1.pth"
    path.parent.mkdir()
    state = MODELS.build(tiny_config().model).state_dict()
    torch.save(dict(meta=dict(seed=4, epoch=1), state_dict=state), path)
    test = run("test", load_from=str(path))
    test.test()
    origin = record_of(test)["origin"]
    assert origin == dict(name="old/epoch_1.pth", seed=4, file=str(path), epoch=1)


def test_names_of_experiments() -> None:
    assert experiment_name("/a/configs/finetune/slic.py", "x") == "finetune/slic"
    assert experiment_name("configs/slic.py", "x") == "slic"
    assert experiment_name("/a/my.py", "x") == "my"
    assert experiment_name(None, "slic_r3d_20260101_101010") == "slic_r3d"
