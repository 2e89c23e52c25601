"""The experiments' arms, validation cut and cluster analysis."""

from __future__ import annotations

import copy
import importlib
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import HOOKS, MODELS
from mmengine.config import Config

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
    for i, j in combinations(range(count), 2):
        mate = labels[i] == labels[j] != -1
        joined += mate
        same += mate and groups[i] == groups[j]
        if groups[i] != groups[j]:
            beyond += mate
            wanted += classes[i] == classes[j]
            right += mate and classes[i] == classes[j]
    found = mates(labels, groups, classes)
    assert found["same_source"] == pytest.approx(same / max(1, joined))
    assert found["found_beyond"] == pytest.approx(right / max(1, wanted))
    if beyond:
        assert found["right_beyond"] == pytest.approx(right / beyond)
    else:
        assert np.isnan(found["right_beyond"])
