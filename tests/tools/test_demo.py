"""The demo's videos, arms and words are what docs/demo.md says of them."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from mmengine.config import Config
from rich.console import Console

from slic_mmaction.pseudo_labels.motion import SETTINGS, describe

from .conftest import TOOLS, load_tool

TOOL = "demo/motion_videos.py"
CONFIGS = TOOLS.parent / "configs" / "demo"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS / "demo"))
    return load_tool("demo/run.py")


def nearest_labels(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Label of the row nearest to each, by cosine about the mean."""
    rows = rows - rows.mean(0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return labels[(rows @ rows.T - 9 * np.eye(len(rows))).argmax(1)]


def test_motion_tells_the_class_and_looks_do_not(tool, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tool, "SPLITS", {"train": 6, "test": 1})
    tool.write_video_set(tmp_path)
    train, test = (
        [line.split() for line in (tmp_path / f"{split}.txt").read_text().splitlines()]
        for split in ("train", "test")
    )
    labels = np.array([int(label) for _, label in train])
    assert np.bincount(labels).tolist() == [6] * len(tool.MOTIONS) and len(test) == 9
    described = [describe(tmp_path / name, SETTINGS) for name, _ in train]
    assert (nearest_labels(np.stack(described), labels) == labels).mean() > 0.9
    clips = [
        tool.render_clip(name, [0, label, video])
        for label, name in enumerate(tool.MOTIONS)
        for video in range(6)
    ]
    looks = np.stack([clip.mean(0).ravel() for clip in clips])
    assert (nearest_labels(looks, labels) == labels).mean() < 0.4
    # A complete set is left alone.
    written = (tmp_path / train[0][0]).stat().st_mtime_ns
    tool.write_video_set(tmp_path)
    assert (tmp_path / train[0][0]).stat().st_mtime_ns == written


def test_a_video_is_a_function_of_its_seed_and_only_its_patch_moves(tool) -> None:
    for motion in tool.MOTIONS:
        clip = tool.render_clip(motion, [0, 1])
        assert clip.shape == (24, 64, 64, 3) and clip.dtype == np.uint8
        np.testing.assert_array_equal(clip, tool.render_clip(motion, [0, 1]))
        moves = np.ptp(clip, axis=0).max(-1) > 0
        assert moves[24:40, 24:40].any() and not moves[:3].any() and not moves[:, :3].any()
        assert not np.array_equal(clip[0], tool.render_clip(motion, [0, 2])[0])


def test_a_mirrored_motion_is_the_same_motion(tool) -> None:
    mirror = np.diag([-1.0, 1.0])
    phases = 2 * np.pi * np.arange(16) / 16
    for name, motion in tool.MOTIONS.items():
        poses = [map(np.array, motion(np.sin(p), np.cos(p))) for p in phases]
        rows = [(linear, np.array(offset)) for linear, offset in poses]
        seen = np.array([[*linear.ravel(), *offset] for linear, offset in rows])
        mirrored = np.array(
            [[*(mirror @ linear @ mirror).ravel(), *(mirror @ offset)] for linear, offset in rows]
        )
        distances = np.abs(seen[:, None] - mirrored).max(-1)
        assert distances.min(0).max() < 1e-6, name


def test_the_arms_differ_in_clustering_alone() -> None:
    clustering, instance = (
        Config.fromfile(CONFIGS / f"{arm}_r3d_motion.py") for arm in ("slic", "instance")
    )
    hook = clustering.custom_hooks.pop()
    assert hook.type == "PseudoLabelHook" and hook.pipeline == []
    assert (clustering.train_dataloader.dataset.p_same_video,) == (0.5,)
    clustering.train_dataloader.dataset.p_same_video = 1.0
    assert clustering.to_dict() == instance.to_dict()


def test_what_the_demo_says(demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "VIDEOS", tmp_path)
    (tmp_path / "test.txt").write_text("test/sway_000.mp4 0\n" * 126)
    logged = {"slic": {0: 100 * 19 / 126, 9: 100 * 115 / 126}, "instance": {0: 15.0, 9: 100 / 9}}
    monkeypatch.setattr(demo, "scalars", lambda arm: {"retrieval/R@1": logged[arm]})
    said = io.StringIO()
    demo.show_results(Console(file=said, width=100))
    expected = "Clustering: 115 of 126 queries find their motion; without: 14; untrained: 19."
    assert expected in said.getvalue() and "only" not in said.getvalue()
    logged["instance"][9] = 90.0
    demo.show_results(Console(file=said, width=100))
    assert "gained 1.3 points only" in said.getvalue()
    demo.show_next_steps(Console(file=said, width=100), 48)
    assert f"search {tmp_path}/test/sway_000.mp4 --in work_dirs/demo/index" in said.getvalue()
