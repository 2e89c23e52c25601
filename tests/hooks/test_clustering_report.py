from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from mmaction.registry import TASK_UTILS
from mmengine.runner import Runner

from slic_mmaction.hooks.clustering_report import clustering_report


@TASK_UTILS.register_module()
class GrowingGroups:
    """Groups of ``first``, then of ``first + 1``, ... consecutive videos."""

    def __init__(self, first: int) -> None:
        self.size = first - 1

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        self.size += 1
        return np.arange(len(embeddings)) // self.size


def train(cfg, first: int) -> tuple[dict[int, dict], str]:
    """Train; returns the records of clusterings by epoch and the log."""
    cfg.custom_hooks[0].clusterer = dict(type="GrowingGroups", first=first)
    runner = Runner.from_cfg(cfg)
    runner.train()
    lines = (Path(runner.log_dir) / "vis_data" / "scalars.json").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    log = Path(runner.log_dir, f"{runner.timestamp}.log").read_text()
    return {r["step"]: r for r in records if "cluster/clusters" in r}, log


def test_figures_and_lines() -> None:
    labels = np.array([0, 0, 0, 1, 2, -1])
    scalars, lines = clustering_report(labels, None, None)
    assert scalars["cluster/clusters"] == 3 and scalars["cluster/singletons"] == 2 / 6
    assert "cluster/stability" not in scalars and "cluster/nmi" not in scalars
    assert [level for level, _ in lines] == [logging.INFO, logging.INFO]
    assert "singletons: 0.3333" in lines[0][1]
    assert lines[1][1] == "clusters by size  1: 2  2-3: 1"
    scalars, lines = clustering_report(labels, labels + 1, labels)
    assert scalars["cluster/stability"] == 1 and "stability: 1" in lines[0][1]
    assert scalars["cluster/purity"] == 1


def test_a_useless_clustering_is_warned_of() -> None:
    lines = clustering_report(np.full(4, -1), None, np.zeros(4, dtype=int))[1]
    assert lines[1] == (logging.INFO, "clusters by size  none")
    assert lines[2][0] == logging.WARNING and "Every video is noise" in lines[2][1]


def test_stability_from_the_second_clustering_on(tiny_config) -> None:
    cfg = tiny_config()
    cfg.train_cfg.max_epochs = 3
    records, log = train(cfg, first=1)
    assert "cluster/stability" not in records[0]
    # Singletons against pairs: no pair of one is a pair of the other.
    assert records[1]["cluster/stability"] == 0
    assert records[0]["cluster/singletons"] == 1 and records[1]["cluster/singletons"] == 0
    # 4 groups of two, then 3, 3 and 2 of 8 videos: 3 pairs in common of 4 and 7.
    chance = 4 * 7 / 28
    assert records[2]["cluster/stability"] == pytest.approx((3 - chance) / ((4 + 7) / 2 - chance))
    assert "clusters by size  1: 0  2-3: 3" in log


def test_a_resumed_run_compares_with_the_clustering_of_its_checkpoint(tiny_config) -> None:
    cfg = tiny_config()
    cfg.train_cfg.max_epochs = 1
    train(cfg, first=2)
    cfg = tiny_config()
    cfg.train_cfg.max_epochs = 2
    cfg.resume = True
    records, _ = train(cfg, first=2)
    assert set(records) == {1} and records[1]["cluster/stability"] == 1


def test_a_run_resumed_before_its_first_clustering_has_nothing_to_compare_with(
    tiny_config,
) -> None:
    for epochs, resume in ((1, False), (2, True)):
        cfg = tiny_config()
        cfg.custom_hooks[0].begin = 1
        cfg.train_cfg.max_epochs = epochs
        cfg.resume = resume
        records, _ = train(cfg, first=2)
    assert set(records) == {1} and "cluster/stability" not in records[1]
