"""A run's record follows its weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.runner import Runner

from slic_mmaction.evaluation.records import code_version, experiment_name

from ..runs import state, train


def record_of(runner: Runner) -> dict:
    return json.loads((Path(runner.log_dir) / "run_record.json").read_text())


def test_weights_carry_the_record_into_the_runs_that_use_them(tiny_config, tmp_path: Path) -> None:
    options = dict(randomness__seed=7, train_cfg__max_epochs=1, train_cfg__val_interval=1)
    pretraining = train(tiny_config(tmp_path / "work", **options))
    first = record_of(pretraining)
    assert first["name"] == "tiny_slic" and first["seed"] == 7 and first["origin"] is None
    assert first["commit"] == code_version() and len(first["config_hash"]) == 8
    evaluation = json.loads((Path(pretraining.log_dir) / "evaluation.json").read_text())
    assert (evaluation["part"], evaluation["epoch"]) == ("val", 1)
    assert (evaluation["name"], evaluation["feature"]) == ("center, 4 frames, 16px", "projection")
    assert evaluation["query"]["videos"] == 4 and evaluation["gallery"]["videos"] == 8
    assert set(evaluation["figures"]) == {"retrieval/R@1", "retrieval/R@5"}
    path = tmp_path / "work" / "epoch_1.pth"
    saved = state(path)["meta"]["run_record"]
    assert saved == first

    test = Runner.from_cfg(tiny_config(tmp_path / "test", load_from=str(path)))
    test.test()
    record = record_of(test)
    assert record["seed"] == 0
    assert record["origin"] == {**saved, "file": str(path), "epoch": 1}

    # A resumed run stays itself.
    options.update(load_from=str(path), randomness__seed=8)
    second = train(tiny_config(tmp_path / "second", **options))
    record = record_of(second)
    second.test()  # in the same process
    assert record_of(second) == record and record["origin"]["seed"] == 7
    evaluation = json.loads((Path(second.log_dir) / "evaluation.json").read_text())
    assert (evaluation["part"], evaluation["checkpoint"]) == ("test", None)
    resumed = tiny_config(tmp_path / "second", resume=True, randomness=dict(seed=None))
    record = record_of(train(resumed))
    assert record["seed"] == 8 and record["origin"]["seed"] == 7
    assert record["origin"]["file"] == str(path)


def test_a_checkpoint_without_a_record_is_known_by_its_file(tiny_config, tmp_path) -> None:
    path = tmp_path / "old" / "epoch_1.pth"
    path.parent.mkdir()
    weights = MODELS.build(tiny_config().model).state_dict()
    torch.save(dict(meta=dict(seed=4, epoch=1), state_dict=weights), path)
    test = Runner.from_cfg(tiny_config(tmp_path / "test", load_from=str(path)))
    test.test()
    origin = record_of(test)["origin"]
    assert origin == dict(name="old/epoch_1.pth", seed=4, file=str(path), epoch=1)


def test_names_of_experiments() -> None:
    assert experiment_name("/a/configs/finetune/slic.py", "x") == "finetune/slic"
    assert experiment_name("configs/slic.py", "x") == "slic"
    assert experiment_name("/a/my.py", "x") == "my"
    assert experiment_name(None, "slic_r3d_20260101_101010") == "slic_r3d"
