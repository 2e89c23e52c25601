"""Runs of the experiments: their configs, and going on with them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import Config


def test_a_run_goes_on_and_one_of_another_config_is_refused(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load("run")
    given = ["run.py", "--arms", "slic", "--out", str(tmp_path), "--epochs"]

    def prepare(*arguments: str) -> Path:
        monkeypatch.setattr(sys, "argv", [*given, *arguments])
        return run.prepare(run.parse_args(), "slic", 1)

    folder = prepare("2")
    cfg = Config.fromfile(load("evaluate").config_of(folder))
    assert cfg.randomness.seed == 1 and cfg.train_cfg.max_epochs == 2
    # As tools/train.py does, with what the command line had.
    cfg.work_dir, cfg.resume = str(folder), True
    cfg.dump(folder / f"{folder.name}.py")
    assert prepare("3") == folder
    assert Config.fromfile(load("evaluate").config_of(folder)).train_cfg.max_epochs == 3
    for other in (("--cfg-options", "train_dataloader.batch_size=16"), ("--ranks", "2")):
        with pytest.raises(ValueError, match=r"slic.seed1 holds a run of another config"):
            prepare("3", *other)


def test_weights_to_begin_with_are_left_for_the_runs_own_when_it_goes_on(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load("run")
    (tmp_path / "seed1.pth").touch()
    given = ["--load-from", str(tmp_path / "seed{seed}.pth"), "--out", str(tmp_path / "runs")]
    monkeypatch.setattr(sys, "argv", ["run.py", "--arms", "slic", "--epochs", "2", *given])
    folder = run.prepare(run.parse_args(), "slic", 1)
    cfg = Config.fromfile(load("evaluate").config_of(folder))
    assert cfg.load_from == str(tmp_path / "seed1.pth")
    with pytest.raises(FileNotFoundError, match=r"seed2\.pth"):
        run.prepare(run.parse_args(), "slic", 2)

    commands: list[list[str]] = []

    def note(command: list[str], **_: object) -> SimpleNamespace:
        commands.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(run.subprocess, "run", note)
    run.train_and_evaluate(folder, epochs=2, ranks=1)
    (folder / "last_checkpoint").touch()
    run.train_and_evaluate(folder, epochs=2, ranks=1)
    # MMAction2's --resume forgets load_from.
    resumed = ["--resume" in command for command in commands if "tools/train.py" in command]
    assert resumed == [False, True]
