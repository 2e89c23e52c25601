from __future__ import annotations

import dataclasses
import importlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmengine.config import Config

GPU = Path(__file__).parents[2] / "benchmarks" / "gpu"


@pytest.fixture
def pretraining(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(GPU))
    return importlib.import_module("pretraining")


@pytest.fixture
def settings(pretraining, tmp_path: Path):
    return pretraining.Settings(torch.device("cpu"), True, None, tmp_path)


def row(epoch: int, recall: float) -> dict:
    return {
        "epoch": epoch,
        "feature": "projection",
        "R@1": recall,
        "R@5": 80.0,
        "mAP": 30.0,
        "kNN": 50.0,
    }


def test_arms_at_the_last_epoch_and_random_once_for_each_seed(pretraining) -> None:
    results = {}
    for seed in (0, 1):
        results[f"seed {seed}"] = dict(
            figures={
                "slic": [row(0, 20.0 + seed), row(50, 1.0), row(100, 60.0 + 2 * seed)],
                "instance": [row(0, 20.0 + seed), row(100, 50.0)],
            }
        )
        results[f"seed {seed}, motion"] = dict(
            figures={"motion_alone": [row(0, 20.0 + seed), row(100, 70.0)]}
        )
    results["seed 2"] = dict(failed="RuntimeError: many lines\nthe last one")
    lines = pretraining.table(results).splitlines()
    rest = "80.0 ± 0.0 (2) | 30.0 ± 0.0 (2) | 50.0 ± 0.0 (2) |"
    assert f"| random | projection | 20.5 ± 0.7 (2) | {rest}" in lines
    assert f"| slic | projection | 61.0 ± 1.4 (2) | {rest}" in lines
    assert f"| instance | projection | 50.0 ± 0.0 (2) | {rest}" in lines
    assert lines[-1] == "seed 2: failed: the last one"


def test_made_up_videos_are_not_pretrained_on(pretraining, settings) -> None:
    large = dataclasses.replace(settings, small=False)
    result = pretraining.run_seed(("slic",), 0, 1, large)
    assert result == dict(skipped="pretraining needs real videos: --data")


def test_paths_of_the_config_are_those_of_the_call(pretraining, settings, tmp_path: Path) -> None:
    call = pretraining.command(("slic", "instance"), 3, 7, tmp_path / "out", settings)
    for name, values in (("--arms", ["slic", "instance"]), ("--seeds", ["3"]), ("--epochs", ["7"])):
        at = call.index(name) + 1
        assert call[at : at + len(values)] == values
    options = dict(option.split("=", 1) for option in call[call.index("--cfg-options") + 1 :])
    for config in ("pretraining_config.py", "pretraining_trial.py"):
        cfg = Config.fromfile(GPU / config)
        cfg.merge_from_dict(options)
        assert cfg.custom_hooks[0].type == "PseudoLabelHook"
        for pipeline in (
            cfg.train_dataloader.dataset.pipeline,
            cfg.evaluation_dataset.pipeline,
            cfg.custom_hooks[0].pipeline,
        ):
            assert pipeline[0].path == str(tmp_path / "frames")
        sets = (
            cfg.train_dataloader.dataset.dataset,
            cfg.evaluation_dataset.gallery,
            cfg.evaluation_dataset.query,
        )
        assert [Path(videos.ann_file).name for videos in sets] == [
            "train.txt",
            "train.txt",
            "test.txt",
        ]


def test_motion_is_described_and_nothing_is_embedded(pretraining, settings, tmp_path) -> None:
    call = pretraining.command(pretraining.MOTION, 0, 1, tmp_path / "out", settings)
    assert call[call.index("--arms") + 1] == "motion_alone"
    options = dict(option.split("=", 1) for option in call[call.index("--cfg-options") + 1 :])
    assert options["custom_hooks.0.descriptors"] == str(tmp_path / "motion.npz")
    describe = pretraining.description(settings)
    assert describe[describe.index("--out") + 1] == str(tmp_path / "motion.npz")
    assert Path(describe[2]).name == "train.txt" and Path(describe[2]).is_file()
    assert "custom_hooks.0.pipeline.0.path" not in options


def test_stopping_ends_what_a_run_has_started(pretraining, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import subprocess, sys, time;"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid)); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True)
    while not (pid_file.exists() and pid_file.read_text()):
        time.sleep(0.01)
    child = int(pid_file.read_text())
    assert Path(f"/proc/{child}").exists()
    pretraining.stop(process)
    assert process.returncode == -9
    for _ in range(200):
        if not Path(f"/proc/{child}").exists() or "Z" in state(child):
            return
        time.sleep(0.01)
    os.kill(child, 9)
    pytest.fail("the run's own child goes on")


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_no_time_left_is_left_for_the_next_call(pretraining, settings) -> None:
    late = dataclasses.replace(settings, time_limit=5.0)
    with pytest.raises(pretraining.OutOfTime):
        pretraining.run_seed(("slic",), 0, 1, late)
