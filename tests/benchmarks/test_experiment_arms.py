"""The experiments' arms, validation cut and cluster analysis."""

from __future__ import annotations

import copy
import importlib
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import HOOKS, MODELS
from mmengine.config import Config

FOLDER = Path(__file__).parents[2] / "benchmarks" / "experiments"


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
        texts.add(repr(cfg.to_dict()))
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
