"""The page of a training: what goes where between clusterings, odd folders."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from mmengine.runner import Runner

from slic_mmaction.hooks.plain_report_hook import standstill
from slic_mmaction.pseudo_labels.report import save_labels
from slic_mmaction.visualization.cluster_flows import (
    Clustering,
    flow_picture,
    flow_rows,
    flows,
    matched,
)
from slic_mmaction.visualization.training_report import training_report

HOSTILE = "it's \"<script>alert(1)</script>&amp;\n\x1b[31m\u202e$x_1$ clip.mp4"
LOG = """{} - mmengine - INFO -
------------------------------------------------------------
System environment:
    sys.platform: linux
    PyTorch: 2.0 <b>
    PyTorch compiling details: much

Runtime environment:
    seed: 0
{} - mmengine - INFO - the end
"""
CONFIG = """
model = dict(backbone=dict(type='ResNet3d', depth=18), cls_head=dict(losses=[dict(type='A<i>')]))
train_dataloader = dict(dataset=dict(dataset=dict(ann_file='', data_prefix=dict(video={folder!r}))))
train_cfg = dict(max_epochs=8)
name = '<script>'
"""


def random_clustering(rng: np.random.Generator, epoch: int, count: int) -> Clustering:
    videos = rng.permutation([f"{i}.mp4" for i in range(120)])[:count]
    return Clustering(epoch, rng.integers(-1, 30, count) // 2, videos)


class Reader(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data: str) -> None:
        self.text += data


def make_run(work_dir: Path, videos: list[str], epochs: int = 3, clusterings: int = 2) -> Path:
    start = work_dir / "20260101_120000"
    (start / "vis_data").mkdir(parents=True)
    (start / f"{start.name}.log").write_text(
        LOG.format("2026/01/01 12:00:00", "2026/01/01 12:05:00")
    )
    folder = os.path.dirname(videos[0])
    (start / "vis_data" / "config.py").write_text(CONFIG.format(folder=folder))
    (work_dir / "config.py").write_text(CONFIG.format(folder=folder))
    lines = [
        dict(loss=1 / e, lr=0.1, mean_cosine=0.4, epoch=e, iter=e, step=e)
        for e in range(1, epochs + 1)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (start / "vis_data" / "scalars.json").write_text(text)
    for i in range(clusterings):
        labels = np.arange(len(videos)) // (2 + i)
        save_labels(work_dir / "pseudo_labels" / f"epoch_{5 * i}.npz", labels, videos, 5 * i)
    return work_dir


def test_flows_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        before, after = random_clustering(rng, 0, 100), random_clustering(rng, 5, 90)
        old, new = (dict(zip(one.videos, one.labels.tolist())) for one in (before, after))
        expected = Counter((old[video], new[video]) for video in old if video in new)
        assert flows(*matched(before, after)) == expected
        sizes = Counter(a for a, _ in expected.elements())
        for row in flow_rows(before, after, most=4):
            cluster = int(row["cluster"])
            assert row["videos"] == sizes.pop(cluster)
            targets = {b: count for (a, b), count in expected.items() if a == cluster}
            said = re.findall(r"([\w ]+) \((\d+)\)", row["go to cluster (videos)"])
            assert sum(int(count) for _, count in said) == sum(targets.values())
            assert int(said[0][1]) == max(targets.values())
            assert row["stay together"] == f"{max(targets.values()) / row['videos']:.0%}"
        assert max(sizes[k] for k in sizes if k >= 0) <= row["videos"]


def test_the_picture_shows_every_video() -> None:
    rng = np.random.default_rng(1)
    clusterings = [random_clustering(rng, epoch, 120) for epoch in range(0, 45, 5)]
    clusterings += [Clustering(45, np.arange(120), clusterings[0].videos)]
    picture = str(flow_picture(clusterings))
    assert picture.count("before epoch") == 6  # columns
    bands = re.findall(r"</?title>[\w ]+ to [\w ]+: (\d+) video", picture)
    assert sum(map(int, bands)) == 5 * 120
    boxes = re.findall(r'y="([\d.]+)" width="12" height="([\d.]+)"', picture)
    assert len(boxes) <= 6 * 17 and min(float(height) for _, height in boxes) > 0
    height = float(re.search(r'viewBox="0 0 \d+ ([\d.]+)"', picture)[1])
    assert max(float(y) + float(high) for y, high in boxes) <= height < 520
    # A cluster that stays keeps its colour, whatever its number becomes.
    labels = np.repeat([0, 1, 2], [3, 2, 1])
    videos = np.array(list("abcdef"))
    same = str(flow_picture([Clustering(0, labels, videos), Clustering(1, 2 - labels, videos)]))
    fills = re.findall(r'rx="2"\s*fill="(#\w+)"', same)
    assert fills[:3] == fills[3:] and len(set(fills)) == 3


def test_a_standstill() -> None:
    assert standstill([1.0], 40) == 0
    assert standstill([1 / (i + 1) for i in range(40)], 40) == 0
    assert standstill([1.0, *[0.5] * 9], 40) == 8
    assert standstill([0.5] * 5, 10) == 0 and standstill([0.5] * 6, 10) == 5


def test_the_page_of_a_real_run(tiny_config, tmp_path: Path) -> None:
    cfg = tiny_config(train_cfg__max_epochs=3, train_cfg__val_interval=1)
    cfg.default_hooks.run_record = dict(type="RunRecordHook")
    Runner.from_cfg(cfg).train()
    read = Reader(training_report(cfg.work_dir, tmp_path / "page.html"))
    assert "ResNet3d (depth 18, base channels 4)" in read.text
    assert "8 videos" in read.text and "It is finished: 3 epochs in" in read.text
    assert "Validation after epoch 3: retrieval R@1" in read.text and "(chance 50.0" in read.text
    for title in ("Loss", "Spread of embeddings", "Clusters against true classes", "Retrieval (%)"):
        assert title in read.text
    assert "dashed: chance" in read.text and "PyTorch" in read.text
    labels = np.load(f"{cfg.work_dir}/pseudo_labels/epoch_2.npz")["labels"]
    assert read.tags["img"] == sum(min(6, size) for size in Counter(labels.tolist()).values())
    assert "gone" not in read.text
    assert "script" not in read.tags and read.tags["svg"] >= 7
    assert f"--work-dir {tmp_path}" not in read.text and "--work-dir NEW" in read.text


def test_hostile_names_and_videos_that_are_gone(tmp_path: Path) -> None:
    videos = [f"{tmp_path}/<img src=x onerror=a>/{i} {HOSTILE}" for i in range(7)]
    run = tmp_path / HOSTILE.replace("/", "|")
    make_run(run, videos)
    (run / ".training").write_text(f"process {2**22 + 1} on {socket.gethostname()}")
    evaluation = dict(part="test", checkpoint=HOSTILE, name="iic <script>", videos=dict(videos=9))
    evaluation["figures"] = {"linear/iic/top1": 51.26, "linear/iic/lr": 0.125, HOSTILE: 77.0}
    (run / "20260101_120000" / "evaluation.json").write_text(json.dumps(evaluation))
    (run / "another.py").write_text("x = 1")
    page = training_report(run, tmp_path / "page.html")
    read = Reader(page)
    assert not {"script", "i><", "onerror"} & ({*read.tags} | read.attributes)
    assert read.tags["img"] == 0 and read.text.count("gone") == 7
    assert "alert(1)</script>&amp;\\n\\x1b[31m\\u202e$x_1$ clip.mp4" in read.text
    assert "It has stopped, in epoch 3 of 8, after 5 min; its log ends at 2026-01-01" in read.text
    assert "name = '<script>'" in read.text and "2.0 <b>" in read.text
    assert "compiling" not in read.text
    assert "test of it's" in read.text and "iic <script> \u00b7 9 videos" in read.text
    assert "Training: config, 2026-01-01 12:00" in read.text
    assert "51.3" in read.text and "77.0" in read.text and "0.125" not in read.text
    assert "config.py' --work-dir NEW" in read.text
    assert "0 (2)" in read.text


def test_commands_can_be_pasted(tmp_path: Path) -> None:
    (tmp_path / "my run" / "training").mkdir(parents=True)
    run = make_run(tmp_path / "my run" / "training", [f"{tmp_path}/a b/{i}.mp4" for i in range(4)])
    (run / "config.py").rename(tmp_path / "my run" / "config.py")
    text = Reader(training_report(tmp_path / "my run", tmp_path / "page.html")).text
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith(("slic", "python"))]
    out = str(tmp_path / "my run")
    assert ["python", "tools/train.py", f"{out}/config.py", "--work-dir", "NEW"] in lines
    assert ["slic", "pretrain", f"{tmp_path}/a b", "--out", out, "--resume"] in lines
    assert ["slic", "report", out] in lines


def test_runs_that_have_just_begun_and_folders_that_are_none(tmp_path: Path) -> None:
    page, videos = tmp_path / "page.html", [f"/v/{i}.mp4" for i in range(4)]
    run = make_run(tmp_path / "run", videos, epochs=0, clusterings=1)
    (run / ".training").write_text(f"process {os.getppid()} on {socket.gethostname()}")
    text = Reader(training_report(run, page)).text
    assert "It is still running, in epoch 1 of 8" in text and "No loss has been logged" in text
    assert "Curves" not in text and "Largest clusters" in text
    (run / "20260101_120000" / "vis_data" / "scalars.json").unlink()
    (run / "pseudo_labels" / "epoch_0.npz").unlink()
    assert "Largest clusters" not in Reader(training_report(run, page)).text
    for config in run.rglob("config.py"):
        config.unlink()
    next(run.glob("*/*.log")).write_text("")
    (run / ".training").unlink()
    assert "It is not finished, in epoch 0 of ?" in Reader(training_report(run, page)).text

    (run / "pseudo_labels" / "epoch_5.npz").write_text("x")
    with pytest.raises(ValueError, match=r"epoch_5\.npz is damaged .*: remove it"):
        training_report(run, page)
    with pytest.raises(ValueError, match="holds no training: give the folder of `slic pretrain`"):
        training_report(run / "pseudo_labels", page)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        training_report(tmp_path / "no", page)


def test_a_loss_that_is_not_finite_and_a_single_cluster(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", ["/v/a.mp4"], epochs=2, clusterings=2)
    scalars = run / "20260101_120000" / "vis_data" / "scalars.json"
    with scalars.open("a") as file:
        file.write('{"loss": NaN, "epoch": 3, "step": 3}\n')
    text = Reader(training_report(run, tmp_path / "page.html")).text
    assert "The loss is no longer finite: the training has diverged." in text
    assert "1 cluster, the largest of 1; they agree with the clusters before by 1.00" in text
