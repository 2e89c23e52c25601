"""The experiments' arms, validation cut and cluster analysis."""

from __future__ import annotations

import copy
import importlib
import json
import sys
from itertools import combinations
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import HOOKS, MODELS
from mmengine.config import Config

from slic_mmaction.datasets.descriptor_file import Descriptors, save_descriptors

FOLDER = Path(__file__).parents[2] / "benchmarks" / "experiments"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """Import a module of the experiments' folder, as its scripts do."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.fixture
def config() -> Config:
    return Config.fromfile(FOLDER / "slim_ucf101_6.py")


def test_every_arm_can_be_built_and_differs(load, config: Config) -> None:
    arms: ModuleType = load("arms")
    texts = set()
    for name in arms.ARMS:
        cfg = copy.deepcopy(config)
        arms.apply_arm(cfg, name)
        importlib.import_module(cfg.custom_imports.imports[-1])
        MODELS.build(cfg.model)
        for hook in cfg.custom_hooks:
            HOOKS.build(hook)
        texts.add(cfg.pretty_text)
    assert len(texts) == len(arms.ARMS)
    with pytest.raises(ValueError, match="no arm 'none'"):
        arms.apply_arm(config, "none")


def test_only_the_arm_that_says_so_sees_true_labels(load, config: Config) -> None:
    arms: ModuleType = load("arms")
    for name in arms.ARMS:
        cfg = copy.deepcopy(config)
        arms.apply_arm(cfg, name)
        kinds = [hook["type"] for hook in cfg.custom_hooks]
        assert ("TrueLabelsUpperBoundHook" in kinds) == name.startswith("SUPERVISED")


def test_a_source_video_is_on_one_side_of_the_cut(load, tmp_path: Path) -> None:
    lines = [
        f"{name}/v_{name}_g{group:02d}_c{clip:02d}.mp4 {label}"
        for label, name in enumerate(("Punch", "PushUps"))
        for group in range(8, 16)
        for clip in (1, 2)
    ]
    ann_file = tmp_path / "train.txt"
    ann_file.write_text("\n".join(lines) + "\n")
    train, val = (
        path.read_text().splitlines() for path in load("cut").write_cut(ann_file, tmp_path / "cut")
    )
    assert sorted(train + val) == sorted(lines) and len(val) == 8
    groups = [{line.split("_c")[0] for line in part} for part in (train, val)]
    assert not groups[0] & groups[1]
    assert {line.split()[-1] for line in val} == {"0", "1"}


@given(st.integers(1, 12), st.integers(0, 2**16))
@settings(deadline=None, max_examples=40)
def test_mates_are_counted_pair_by_pair(count: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        mates = importlib.import_module("clusters").mates
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 4, count)
    classes = rng.integers(0, 2, 4)[groups]
    labels = rng.integers(-1, 3, count)
    joined = same = beyond = right = wanted = 0
    by_class: dict[int, list[bool]] = {}
    for i, j in combinations(range(count), 2):
        mate = labels[i] == labels[j] != -1
        joined += mate
        same += mate and groups[i] == groups[j]
        if groups[i] != groups[j]:
            beyond += mate
            wanted += classes[i] == classes[j]
            right += mate and classes[i] == classes[j]
            if classes[i] == classes[j]:
                by_class.setdefault(classes[i], []).append(mate)
    found = mates(labels, groups, classes)
    assert found["same_source"] == pytest.approx(same / max(1, joined))
    assert found["found_beyond"] == pytest.approx(right / max(1, wanted))
    shares = [np.mean(found_or_not) for found_or_not in by_class.values()]
    assert found["found_by_class"] == pytest.approx(np.mean(shares) if shares else 0)
    if beyond:
        assert found["right_beyond"] == pytest.approx(right / beyond)
    else:
        assert np.isnan(found["right_beyond"])


@given(st.integers(3, 12), st.integers(0, 2**16))
@settings(deadline=None, max_examples=40)
def test_nearest_of_another_source_one_by_one(count: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        across_sources = importlib.import_module("joinable").across_sources
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, 4))
    groups = np.concatenate([[0, 1], rng.integers(0, 3, count - 2)])
    labels = rng.integers(0, 2, count)
    found = across_sources(torch.from_numpy(rows), groups, labels)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    nearest = []
    for i in range(count):
        others = [j for j in range(count) if groups[j] != groups[i]]
        nearest.append(max(others, key=lambda j: unit[i] @ unit[j]))
    right = [labels[i] == labels[j] for i, j in enumerate(nearest)]
    assert found["nearest, surest 100%"] == pytest.approx(np.mean(right))
    half = sorted(range(count), key=lambda i: -(unit[i] @ unit[nearest[i]]))[: round(count / 2)]
    assert found["nearest, surest 50%"] == pytest.approx(np.mean([right[i] for i in half]))
    mutual = [i for i in range(count) if nearest[nearest[i]] == i]
    assert found["mutually nearest"] == pytest.approx(np.mean([right[i] for i in mutual]))


def test_report_has_mean_and_spread_of_the_seeds(
    load, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"Punch/v_Punch_g{g:02d}_c01.mp4 {g % 2}" for g in range(8, 14)]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    config.evaluation_dataset.gallery.ann_file = str(tmp_path / "train.txt")
    names = [f"data/ucf101/videos/{line.split()[0]}" for line in lines]
    for arm, shift in (("slic", 10.0), ("instance", 0.0)):
        for seed in (0, 1):
            run = tmp_path / "runs" / arm / f"seed{seed}"
            (run / "pseudo_labels").mkdir(parents=True)
            config.dump(run.with_suffix(".py"))
            rows = [
                {"epoch": e, "feature": f, "R@1": 30 + e * shift / 10 + 2 * seed, "R@5": 50.0}
                for e in (0, 10)
                for f in ("backbone", "projection")
            ]
            (run / "figures.json").write_text(
                json.dumps([dict(row, mAP=20.0, kNN=40.0) for row in rows])
            )
            if arm == "slic":
                labels = np.array([0, 1, 0, 1, 0, 1])
                np.savez(run / "pseudo_labels/epoch_0.npz", labels=labels, videos=names, epoch=0)
    report = load("report")
    out = tmp_path / "out" / "main"
    monkeypatch.setattr(
        sys,
        "argv",
        ["report.py", str(tmp_path / "runs"), "--out", str(out), "--against", "instance"],
    )
    report.main()
    table = (tmp_path / "out" / "main.md").read_text()
    same = "20.0 ± 0.0 | 20.0 ± 0.0 | 40.0 ± 0.0 | 40.0 ± 0.0 |"
    assert f"| untrained | 0 | 2 | 31.0 ± 1.4 | 31.0 ± 1.4 | {same}" in table
    assert "| slic | 2 | 10.0 ± 0.0 | 10.0 ± 0.0 | 0.0 ± 0.0 |" in table
    assert "| slic | 10 | 2 | 41.0 ± 1.4 | 41.0 ± 1.4 |" in table
    assert "| instance | 10 | 2 | 31.0 ± 1.4 | 31.0 ± 1.4 |" in table
    runs = json.loads((tmp_path / "out" / "main.json").read_text())
    (clustering,) = runs["slic"]["1"]["clusterings"]
    assert clustering["right_beyond"] == clustering["found_beyond"] == 1
    assert cv2.imread(str(tmp_path / "out" / "main.png")).std() > 0
    with pytest.raises(FileNotFoundError, match="no evaluated run"):
        report.collect(tmp_path / "out")


def test_a_report_goes_on_from_an_earlier_one(load) -> None:
    earlier = dict(instance={"0": "old", "1": "old"}, motion_alone={"0": "old"})
    runs = dict(instance={"1": "new", "2": "new"}, slic={"0": "new"})
    found = load("report").joined(runs, earlier)
    assert list(found) == ["slic", "instance", "motion_alone"]
    assert found["instance"] == {"0": "old", "1": "new", "2": "new"}
    assert found["motion_alone"] == {"0": "old"} and found["slic"] == {"0": "new"}


def test_descriptors_are_evaluated_without_a_network(load, tmp_path: Path, monkeypatch) -> None:
    cfg = Config.fromfile(FOLDER / "slim_ucf101_6.py")
    rng = np.random.default_rng(0)
    kinds, rows = rng.normal(size=(2, 6)) + 3, {}
    for part, count in (("query", 4), ("gallery", 42)):
        lines = []
        for i in range(count):
            rows[f"{part}_{i}"] = (kinds[i % 2] + 0.01 * rng.normal(size=6)).astype(np.float32)
            lines.append(f"{part}_{i}.mp4 {i % 2}\n")
        (tmp_path / f"{part}.txt").write_text("".join(lines))
        cfg.evaluation_dataset[part].ann_file = str(tmp_path / f"{part}.txt")
    config = tmp_path / "config.py"
    cfg.dump(config)
    path = tmp_path / "motion.npz"
    save_descriptors(path, Descriptors(rows, {}))
    monkeypatch.setattr(sys, "argv", ["described.py", str(path), "--config", str(config)])
    output: list[str] = []
    monkeypatch.setattr("builtins.print", lambda *words: output.extend(words))
    load("described").main()
    assert {"R@1 100.0", "kNN 100.0", "mAP 100.0"} <= set(output)


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


def test_small_clips_are_small_everywhere(load) -> None:
    cfg = Config.fromfile(FOLDER / "tiny_ucf101_6.py")
    for pipeline in (
        cfg.train_dataloader.dataset.pipeline,
        cfg.custom_hooks[0].pipeline,
        cfg.evaluation_dataset.pipeline,
    ):
        steps = {step.type: step for step in pipeline}
        sizes = [
            steps[kind][key]
            for kind, key in (("ClipAugment", "size"), ("CenterCrop", "crop_size"))
            if kind in steps
        ]
        assert sizes == [32]


def test_figures_are_those_of_a_ranking(load) -> None:
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    found = load("evaluate").figures(torch.from_numpy(rows), labels, 6)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    first, precisions = [], []
    for query in range(6):
        order = sorted(range(6, 30), key=lambda i: -(unit[query] @ unit[i]))
        right = [labels[i] == labels[query] for i in order]
        first.append(right[0])
        at = [np.mean(right[: rank + 1]) for rank, hit in enumerate(right) if hit]
        precisions.append(np.mean(at))
    assert found["R@1"] == pytest.approx(100 * np.mean(first))
    assert found["mAP"] == pytest.approx(100 * np.mean(precisions))


@given(st.integers(1, 4), st.integers(0, 2**16))
@settings(deadline=None, max_examples=20)
def test_made_labels_have_the_quality_asked_for(count: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        made = importlib.import_module("made_labels")
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(12), rng.integers(1, 4, 12))
    classes = groups // 4
    labels = made.joined_sources(groups, classes, count)
    for label in np.unique(labels):
        assert len(set(classes[labels == label])) == 1
        assert len(set(groups[labels == label])) <= count
    for group in range(12):
        assert len(set(labels[groups == group])) == 1
    assert len(set(labels)) == 3 * -(-4 // count)
    wrong = made.partly_wrong(classes, 0.5)
    assert np.array_equal(np.bincount(wrong), np.bincount(classes))
    assert (wrong != classes).sum() <= round(0.5 * len(classes))
    assert np.array_equal(made.partly_wrong(classes, 0.0), classes)
