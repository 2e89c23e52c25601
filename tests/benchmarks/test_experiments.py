"""The experiments' arms, their runs, and the analyses of clusters."""

from __future__ import annotations

import copy
import importlib
import sys
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.registry import HOOKS, MODELS
from mmengine.config import Config

FOLDER = Path(__file__).parents[2] / "benchmarks" / "experiments"


def test_every_arm_can_be_built_and_differs(load, tmp_path: Path) -> None:
    arms, config = load("arms"), Config.fromfile(FOLDER / "slim_ucf101.py")
    texts, ann_file = set(), tmp_path / "train.txt"
    ann_file.write_text("a.mp4 0\n" * 571)
    config.train_dataloader.dataset.dataset.ann_file = str(ann_file)
    for name in arms.ARMS:
        cfg = copy.deepcopy(config)
        arms.apply_arm(cfg, name)
        arms.count_clusters(cfg)
        importlib.import_module(cfg.custom_imports.imports[-1])
        MODELS.build(cfg.model)
        for hook in cfg.custom_hooks:
            HOOKS.build(hook)
        texts.add(repr(cfg.to_dict()))
        # Only the arm that says so sees true labels.
        kinds = [hook["type"] for hook in cfg.custom_hooks]
        assert ("TrueLabelsUpperBoundHook" in kinds) == name.startswith("SUPERVISED")
    assert len(texts) == len(arms.ARMS)
    with pytest.raises(ValueError, match="no arm 'none'"):
        arms.apply_arm(config, "none")


def test_a_run_goes_on_and_one_of_another_config_is_refused(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, config_of = load("run"), load("evaluate").config_of
    (tmp_path / "seed1.pth").touch()
    given = ["run.py", "--arms", "slic", "--out", str(tmp_path / "runs")]
    given += ["--load-from", str(tmp_path / "seed{seed}.pth"), "--epochs"]

    def prepare(*arguments: str, seed: int = 1) -> Path:
        monkeypatch.setattr(sys, "argv", [*given, *arguments])
        return run.prepare(run.parse_args(), "slic", seed)

    folder = prepare("2")
    cfg = Config.fromfile(config_of(folder))
    assert cfg.randomness.seed == 1 and cfg.train_cfg.max_epochs == 2
    assert cfg.load_from == str(tmp_path / "seed1.pth")
    # As tools/train.py does, with what the command line had.
    cfg.work_dir, cfg.resume = str(folder), True
    cfg.dump(folder / f"{folder.name}.py")
    assert prepare("3") == folder
    assert Config.fromfile(config_of(folder)).train_cfg.max_epochs == 3
    for other in (("--cfg-options", "train_dataloader.batch_size=16"), ("--ranks", "2")):
        with pytest.raises(ValueError, match=r"slic.seed1 holds a run of another config"):
            prepare("3", *other)
    with pytest.raises(FileNotFoundError, match=r"seed2\.pth"):
        prepare("2", seed=2)

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


def test_a_source_video_is_on_one_side_of_the_cut(load, tmp_path: Path) -> None:
    lines = [
        f"{name}/v_{name}_g{group:02d}_c{clip:02d}.mp4 {label}"
        for label, name in enumerate(("Punch", "PushUps"))
        for group in range(8, 16)
        for clip in (1, 2)
    ]
    ann_file = tmp_path / "train.txt"
    ann_file.write_text("\n".join(lines) + "\n")
    paths = load("run").write_cut(ann_file, 0.25, tmp_path / "cut")
    train, val = (path.read_text().splitlines() for path in paths)
    assert sorted(train + val) == sorted(lines) and len(val) == 8
    groups = [{line.split("_c")[0] for line in part} for part in (train, val)]
    assert not groups[0] & groups[1]
    assert {line.split()[-1] for line in val} == {"0", "1"}


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_counted_one_by_one(load, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 13))
    groups = np.concatenate([[0, 1], rng.integers(0, 4, count - 2)])
    classes = rng.integers(0, 2, 4)[groups]
    labels = rng.integers(-1, 3, count)
    joined = same = beyond = right = wanted = 0
    by_class: dict[int, list[bool]] = {}
    for i, j in combinations(range(count), 2):
        together = labels[i] == labels[j] != -1
        joined += together
        same += together and groups[i] == groups[j]
        if groups[i] != groups[j]:
            beyond += together
            if classes[i] == classes[j]:
                wanted += 1
                right += together
                by_class.setdefault(classes[i], []).append(together)
    found = load("clusters").describe_pairs(labels, groups, classes)
    shares = [np.mean(pairs) for pairs in by_class.values()]
    expected = dict(
        same_source=same / max(1, joined),
        right_beyond=right / beyond if beyond else np.nan,
        found_beyond=right / max(1, wanted),
        found_by_class=np.mean(shares) if shares else 0,
    )
    assert found == pytest.approx(expected, nan_ok=True)

    rows = rng.normal(size=(count, 4))
    found = load("joinable").across_sources(torch.from_numpy(rows), groups, classes)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    nearest = []
    for i in range(count):
        others = [j for j in range(count) if groups[j] != groups[i]]
        nearest.append(max(others, key=lambda j: unit[i] @ unit[j]))
    right_ones = [classes[i] == classes[j] for i, j in enumerate(nearest)]
    assert found["nearest, surest 100%"] == pytest.approx(np.mean(right_ones))
    half = sorted(range(count), key=lambda i: -(unit[i] @ unit[nearest[i]]))[: round(count / 2)]
    assert found["nearest, surest 50%"] == pytest.approx(np.mean([right_ones[i] for i in half]))
    mutual = [i for i in range(count) if nearest[nearest[i]] == i]
    assert found["mutually nearest"] == pytest.approx(np.mean([right_ones[i] for i in mutual]))
