"""Chance levels, and the table that shows results beside them."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from slic_mmaction.evaluation.results import chance_level, chance_levels, results_table


def test_chance_levels_are_the_means_over_all_orders() -> None:
    gallery, query = [0, 0, 1, 1, 1, 2], Counter({0: 3, 1: 1, 5: 2})
    hits = {1: 0.0, 3: 0.0}
    precision = 0.0
    orders = list(itertools.permutations(gallery))
    for order in orders:
        for label, count in query.items():
            found = np.array(order) == label
            for k in hits:
                hits[k] += count * found[:k].any() / len(orders) / 6
            ranks = np.flatnonzero(found) + 1
            if len(ranks):
                mean = float((np.arange(1, len(ranks) + 1) / ranks).mean())
                precision += count * mean / len(orders) / 6
    for k, expected in hits.items():
        assert chance_level(f"R@{k}", query, Counter(gallery)) == pytest.approx(100 * expected)
    assert chance_level("mAP", query, Counter(gallery)) == pytest.approx(100 * precision)
    assert chance_level("top1", query, Counter(gallery)) == pytest.approx(100 / 3)
    assert chance_level("top5", query, Counter(gallery)) == 100
    assert chance_level("mean1", query, Counter(gallery)) == pytest.approx(100 / 3)
    assert chance_level("lr", query, Counter(gallery)) is None
    assert chance_level("R@1", query, Counter()) is None


def test_a_table_for_people() -> None:
    """A kNN with several settings; a linear probe, without its settings; MMAction2's shares."""
    figures = {f"knn/iic_8-frames/k{k}_T0.07/top1": float(k) for k in (1, 20)}
    of = dict(query=dict(videos=3), gallery=dict(videos=5), name="iic, 8 frames")
    chance = chance_levels(figures, Counter([0, 1, 1]), Counter([0, 1, 1, 2, 3]))
    assert results_table(dict(of, figures=figures, chance=chance)).splitlines() == [
        "knn (protocol iic, 8 frames): 3 queries in 5 gallery videos",
        "                 this network   chance",
        "k1_T0.07 top1           1.0 %   25.0 %",
        "k20_T0.07 top1         20.0 %   25.0 %",
    ]
    figures = {"linear/iic_8-frames/top1": 51.26, "linear/iic_8-frames/lr": 3.0}
    assert results_table(dict(of, figures=figures)).splitlines()[1:] == [
        "       this network   chance",
        "top1         51.3 %",
    ]
    two = dict(of, figures=figures | {"knn/iic_8-frames/k1_T0.07/top1": 1.0})
    assert results_table(two).splitlines() == [
        "results (protocol iic, 8 frames): 3 queries in 5 gallery videos",
        "                    this network   chance",
        "linear top1               51.3 %",
        "knn k1_T0.07 top1          1.0 %",
    ]
    figures = {"finetune/center/top1": 0.5, "finetune/center/mean1": 0.25}
    record = dict(videos=dict(videos=9), figures=figures, chance={"finetune/center/top1": 0.01})
    assert results_table(record).splitlines() == [
        "finetune/center: 9 videos",
        "        this network   chance",
        "top1          50.0 %    1.0 %",
        "mean1         25.0 %",
    ]
