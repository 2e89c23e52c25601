"""The experiments' figures, and the report of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from slic_mmaction.pseudo_labels.descriptors import Descriptors, save_descriptors

FOLDER = Path(__file__).parents[2] / "benchmarks" / "experiments"


def test_report_has_mean_and_spread_of_the_seeds(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.fromfile(FOLDER / "slim_ucf101.py")
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
    arguments = [str(tmp_path / "runs"), "--out", str(out), "--against", "instance"]
    monkeypatch.setattr(sys, "argv", ["report.py", *arguments])
    report.main()
    table = (tmp_path / "out" / "main.md").read_text()
    same = "20.0 ± 0.0 | 20.0 ± 0.0 | 40.0 ± 0.0 | 40.0 ± 0.0 |"
    assert f"| untrained | 0 | 2 | 31.0 ± 1.4 | 31.0 ± 1.4 | {same}" in table
    assert "| slic | 10 | 2 | 41.0 ± 1.4 | 41.0 ± 1.4 |" in table
    assert "| slic | 2 | 10.0 ± 0.0 | 10.0 ± 0.0 | 0.0 ± 0.0 |" in table
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


RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def test_descriptors_are_evaluated_without_a_network(load, tmp_path: Path, monkeypatch) -> None:
    cfg = Config.fromfile(FOLDER / "slim_ucf101.py")
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
