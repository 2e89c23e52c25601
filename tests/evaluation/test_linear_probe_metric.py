from __future__ import annotations

import numpy as np
import pytest
import torch
from mmaction.registry import METRICS

from slic_mmaction.evaluation import EmbeddedVideos, LinearProbeMetric, OneEmbeddingEach, SeenAs

OPTIONS = dict(lrs=(0.3, 3.0, 30.0), weight_decays=(0.0, 1e-3), epochs=20, topk=(1, 2))


def videos(groups: int, seed: int, noise: float = 0.6, scale: float = 1.0) -> EmbeddedVideos:
    """Three classes, four clips from each group's recording."""
    rng = np.random.default_rng(seed)
    names, labels = [], []
    for label in range(3):
        for group in range(groups):
            names += [f"v_Class{label}_g{group:02d}_c{c:02d}.avi" for c in range(4)]
            labels += [label] * 4
    labels = np.array(labels)
    rows = np.eye(3, 8)[labels] + noise * rng.normal(size=(len(labels), 8))
    rows = torch.from_numpy(scale * rows).float()
    return EmbeddedVideos(np.array(names), labels, OneEmbeddingEach(rows))


def probe(train: EmbeddedVideos, test: EmbeddedVideos, **options) -> tuple[dict, dict]:
    metric = METRICS.build(dict(type="LinearProbeMetric", **{**OPTIONS, **options}))
    return metric.evaluate_videos(test, train, SeenAs("iic", "backbone")), metric.details


def test_chooses_on_training_videos_and_names_its_choice() -> None:
    train, test = videos(10, 0), videos(4, 1)
    got, details = probe(train, test, group_pattern=r"v_\w+_g\d+")
    name = "linear/iic_backbone-feature"
    assert set(got) == {f"{name}/{k}" for k in ("top1", "top2", "lr", "weight_decay", "val_top1")}
    assert got[f"{name}/top1"] > 70 and got[f"{name}/top2"] >= got[f"{name}/top1"]
    assert len(details["sweep"]) == 6
    best = max(row["val_top1"] for row in details["sweep"])
    assert got[f"{name}/val_top1"] == best
    chosen = dict(lr=got[f"{name}/lr"], weight_decay=got[f"{name}/weight_decay"])
    assert dict(chosen, val_top1=best) in details["sweep"]


def test_the_test_set_has_no_say_in_the_choice() -> None:
    train, test = videos(10, 0), videos(4, 1)
    shuffled = EmbeddedVideos(test.videos, np.roll(test.labels, 5), test.embeddings)
    (right, sweep), (wrong, same_sweep) = probe(train, test), probe(train, shuffled)
    name = "linear/iic_backbone-feature"
    assert sweep == same_sweep
    assert right[f"{name}/lr"] == wrong[f"{name}/lr"]
    assert right[f"{name}/top1"] != wrong[f"{name}/top1"]


def test_features_are_normalised() -> None:
    """Their length plays no part, of each video by itself."""
    assert probe(videos(6, 0), videos(2, 1)) == probe(videos(6, 0, scale=64), videos(2, 1, scale=8))


def test_divergence_is_no_result(monkeypatch) -> None:
    train, test = videos(5, 0), videos(2, 1)
    _, details = probe(train, test, lrs=(1.0, 1e30))
    values = {row["lr"]: row["val_top1"] for row in details["sweep"] if row["weight_decay"]}
    assert values[1e30] is None and values[1.0] is not None
    with pytest.raises(ValueError, match="diverged with every learning rate"):
        probe(train, test, lrs=(1e30,), weight_decays=(1e-3,))


def test_a_choice_at_the_edge_is_said(monkeypatch) -> None:
    lines = []
    monkeypatch.setattr(
        "slic_mmaction.evaluation.linear_probe_metric.print_log",
        lambda line, **_: lines.append(line),
    )
    probe(videos(6, 0, noise=0.1), videos(2, 1), lrs=(1e-4, 1e-3))
    assert any("at the edge of its sweep" in line for line in lines)
    assert any("trained on 72" in line and "set aside" in line for line in lines)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(lrs=()), "positive lrs"),
        (dict(lrs=(0.0,)), "positive lrs"),
        (dict(weight_decays=(-1.0,)), "weight_decays of at least 0"),
        (dict(val_share=1.0), r"val_share within 0\.\.1"),
        (dict(epochs=0), "epochs and a batch_size"),
    ],
)
def test_bad_settings_are_named(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinearProbeMetric(**wrong)
