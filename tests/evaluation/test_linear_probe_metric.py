from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mmaction.registry import METRICS

from slic_mmaction.evaluation import FeatureSet, LinearProbeMetric, linear_probe_metric

OPTIONS = dict(lrs=(0.3, 3.0, 30.0), weight_decays=(0.0, 1e-3), epochs=20, topk=(1, 2))
NAME = "linear/iic"


def probe(train: FeatureSet, test: FeatureSet, **options) -> tuple[dict, dict]:
    metric = METRICS.build(dict(type="LinearProbeMetric", **{**OPTIONS, **options}))
    return metric.evaluate_features(test, train), metric.details


def test_chooses_on_training_videos_and_names_its_choice(videos, lines) -> None:
    train, test = videos(120, 0), videos(48, 1)
    got, details = probe(train, test, group_pattern=r"v_\w+_g\d+")
    assert set(got) == {f"{NAME}/{k}" for k in ("top1", "top2", "lr", "weight_decay", "val_top1")}
    assert got[f"{NAME}/top1"] > 70 and got[f"{NAME}/top2"] >= got[f"{NAME}/top1"]
    assert len(details["sweep"]) == 6
    best = max(row["val_top1"] for row in details["sweep"])
    chosen = dict(lr=got[f"{NAME}/lr"], weight_decay=got[f"{NAME}/weight_decay"])
    assert got[f"{NAME}/val_top1"] == best and dict(chosen, val_top1=best) in details["sweep"]
    assert "48 queries in 120 gallery videos" in lines[0] and "set aside" in lines[0]
    # The test set has no say in it.
    shuffled = replace(test, labels=np.roll(test.labels, 5))
    wrong, same_sweep = probe(train, shuffled, group_pattern=r"v_\w+_g\d+")
    assert same_sweep == details and wrong[f"{NAME}/lr"] == got[f"{NAME}/lr"]
    assert wrong[f"{NAME}/top1"] != got[f"{NAME}/top1"]


def test_features_are_normalised(videos) -> None:
    """Their length plays no part, of each video by itself."""
    scaled = probe(videos(72, 0, scale=64), videos(24, 1, scale=8))
    assert probe(videos(72, 0), videos(24, 1)) == scaled


def test_divergence_is_no_result_and_a_choice_at_the_edge_is_said(videos, monkeypatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(linear_probe_metric, "print_log", lambda line, **_: said.append(line))
    train, test = videos(60, 0), videos(24, 1)
    _, details = probe(train, test, lrs=(1.0, 1e30))
    values = {row["lr"]: row["val_top1"] for row in details["sweep"] if row["weight_decay"]}
    assert values[1e30] is None and values[1.0] is not None
    assert any("chose the learning rate 1, at the edge of its sweep" in line for line in said)
    with pytest.raises(ValueError, match="diverged with every learning rate"):
        probe(train, test, lrs=(1e30,), weight_decays=(1e-3,))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(lrs=()), r"lrs=\(\)"),
        (dict(lrs=(0.0,)), "needs lrs, topk and epochs above 0"),
        (dict(weight_decays=(-1.0,)), r"weight_decays=\(-1\.0,\)"),
        (dict(seed=-1), "seed=-1"),
        (dict(epochs=0), "epochs=0"),
        (dict(topk=(0,)), "topk="),
        (dict(group_pattern="("), "not a valid regular expression"),
    ],
)
def test_bad_settings_are_named(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinearProbeMetric(**wrong)
