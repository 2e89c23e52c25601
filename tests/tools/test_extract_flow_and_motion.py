"""tools/data/extract_flow.py and extract_motion.py: one command line, two results."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmaction.datasets import VideoDataset

from slic_mmaction.flow.estimate import sampled_flow
from slic_mmaction.flow.store import FlowSettings, read_flow, read_settings
from slic_mmaction.preparation.workers import Failure
from slic_mmaction.pseudo_labels import motion
from slic_mmaction.pseudo_labels.descriptors import (
    Descriptors,
    descriptors_of,
    read_descriptors,
    save_descriptors,
)

from .conftest import TOOLS, load_tool


def run_here(task, jobs, workers, timeout):
    for job in jobs:
        yield job, task(job)


def crash(task, jobs, workers, timeout):
    for job in jobs:
        yield job, Failure("crashed the process that worked on it (SIGSEGV)")


def stopped(task, jobs, workers, timeout):
    for number, done in enumerate(run_here(task, jobs, workers, timeout)):
        if number == 2:
            raise KeyboardInterrupt
        yield done


@pytest.fixture(params=["flow", "motion"])
def tool(request, monkeypatch, tmp_path: Path, capsys) -> SimpleNamespace:
    """A tool whose worker processes are replaced by this one, run with options that are quick."""
    script = load_tool(f"data/extract_{request.param}.py")
    flow = request.param == "flow"
    module = script if flow else motion
    monkeypatch.setattr(module, "run_isolated", run_here)
    out = tmp_path / ("flow" if flow else "motion.npz")

    def call(*arguments: object, method: str = "dis") -> tuple[int, str, str]:
        options = ["--method", method] if flow else []
        argv = ["extract.py", *map(str, arguments), "--out", str(out), *options]
        monkeypatch.setattr(sys, "argv", argv)
        code = script.main()
        return code, *capsys.readouterr()

    def done() -> set[str]:
        if not flow:
            return set(read_descriptors(out).rows)
        return {path.relative_to(out).as_posix()[:-9] for path in out.rglob("*.flow.zip")}

    report = out / "broken_videos.txt" if flow else tmp_path / "motion.broken_videos.txt"
    return SimpleNamespace(
        main=script.main, module=module, call=call, out=out, done=done, report=report, is_flow=flow
    )


def test_annotation_file_then_the_other_videos(tool, video_set: Path) -> None:
    code, said, _ = tool.call(video_set / "test.txt", "--video-root", video_set)
    assert code == 0 and "4 videos done now, 0 before, 0 broken" in said
    assert tool.done() == {f"test_{i}" for i in range(4)}
    if tool.is_flow:
        stored = tool.out / "test_2.flow.zip"
        assert read_settings(stored) == FlowSettings("dis", "x", 20.0, 128)
        assert len(read_flow(stored, range(12))) == 12
    else:
        made = read_descriptors(tool.out)
        flow = sampled_flow(video_set / "test_2.mp4", **tool.module.SETTINGS)
        expected = tool.module.motion_boundary_histograms(flow)
        np.testing.assert_array_equal(made.rows["test_2"], expected)
    assert "8 videos done now, 4 before" in tool.call(video_set)[1]
    assert "0 videos done now, 12 before" in tool.call(video_set)[1]
    if tool.is_flow:
        stored.write_bytes(stored.read_bytes()[:-20])
        assert "1 videos done now, 11 before" in tool.call(video_set)[1]


def test_broken_videos_are_recorded_until_they_are_mended(tool, video_set, tmp_path) -> None:
    videos = tmp_path / "videos"
    (videos / "a").mkdir(parents=True)
    shutil.copy(video_set / "test_0.mp4", videos / "a" / "good.mp4")
    bad = videos / "bad.mp4"
    bad.write_bytes(b"")
    code, said, _ = tool.call(videos)
    assert code == 1 and "1 videos done now, 0 before, 1 broken" in said
    path, reason = tool.report.read_text().rstrip("\n").split("\t")
    assert path == str(bad) and reason.startswith(f"The video {bad} cannot be opened (")
    shutil.copy(video_set / "test_1.mp4", bad)
    assert tool.call(videos)[0] == 0
    assert not tool.report.exists() and tool.done() == {"a/good", "bad"}


def test_crashed_and_stopped_workers(tool, video_set: Path, monkeypatch) -> None:
    monkeypatch.setattr(tool.module, "run_isolated", crash)
    assert tool.call(video_set)[0] == 1
    assert tool.report.read_text().count("SIGSEGV") == 12
    monkeypatch.setattr(tool.module, "run_isolated", stopped)
    code, _, said = tool.call(video_set)
    kept = len(tool.done())
    assert code == 130 and "The same command continues" in said and kept in (2, 3)
    monkeypatch.setattr(tool.module, "run_isolated", run_here)
    assert f"{12 - kept} videos done now, {kept} before" in tool.call(video_set)[1]
    assert len(tool.done()) == 12


def test_wrong_use_is_one_sentence(tool, video_set: Path, tmp_path: Path, monkeypatch) -> None:
    if tool.is_flow:
        assert tool.call(video_set / "test.txt", "--video-root", video_set)[0] == 0
        monkeypatch.setattr(tool, "call", lambda *a, call=tool.call: call(*a, method="farneback"))
    else:
        save_descriptors(tool.out, Descriptors({"test_0": np.ones(3)}, dict(step=1)))
    twins = tmp_path / "twins"
    twins.mkdir()
    for name in ("v.mp4", "v.avi"):
        shutil.copy(video_set / "test_0.mp4", twins / name)
    for arguments, sentence in (
        ([video_set / "none.txt"], "There is no annotation file or folder"),
        ([video_set / "test.txt"], "give the folder to which its paths are relative"),
        (
            [video_set],
            "method dis instead of farneback: choose"
            if tool.is_flow
            else "was made with the settings",
        ),
        *([([twins], "would both have")] if tool.is_flow else []),
    ):
        code, _, said = tool.call(*arguments)
        assert code == 2 and sentence in said and said.count("\n") == 1
    wrong = ("--short-side 8", "--bound 0") if tool.is_flow else ("--out motion.txt",)
    for options in ("--workers 0", *wrong):
        argv = ["extract.py", str(video_set), "--out", str(tool.out), *options.split()]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as stop:
            tool.main()
        assert stop.value.code == 2


@pytest.mark.parametrize("tool", ["motion"], indirect=True)
def test_a_vector_belongs_to_one_file(tool, video_set: Path, tmp_path: Path) -> None:
    """Also if names differ only in the suffix, or another file gets a known name."""
    videos, (first, second, third) = tmp_path / "videos", sorted(video_set.glob("*.mp4"))[:3]
    videos.mkdir()
    shutil.copy(first, videos / "v.mp4")
    assert tool.call(videos)[0] == 0 and tool.done() == {"v"}
    shutil.copy(second, videos / "v.mkv")
    assert "2 videos done now, 0 before" in tool.call(videos)[1]
    (videos / "v.mkv").write_bytes(third.read_bytes())
    assert "1 videos done now, 1 before" in tool.call(videos)[1]
    (tmp_path / "list.txt").write_text("v.mkv 0\nv.mp4 0\n")
    dataset = VideoDataset(str(tmp_path / "list.txt"), [], data_prefix=dict(video=str(videos)))
    found, _ = descriptors_of(tool.out, dataset, max_missing=0.0)
    for row, video in zip(found, (third, first)):
        flow = sampled_flow(video, **tool.module.SETTINGS)
        np.testing.assert_array_equal(row, tool.module.motion_boundary_histograms(flow))


@pytest.mark.parametrize("tool", ["flow"], indirect=True)
def test_a_missing_contrib_module_is_one_sentence(tool, video_set: Path, monkeypatch) -> None:
    monkeypatch.delattr(cv2, "optflow", raising=False)
    code, _, said = tool.call(video_set, method="tvl1")
    assert code == 2 and "opencv-contrib-python" in said and said.count("\n") == 1


@pytest.mark.parametrize("tool", ["motion"], indirect=True)
def test_a_killed_run_has_kept_most(tool, video_set: Path, monkeypatch) -> None:
    kept = []
    monkeypatch.setattr(tool.module, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(
        tool.module, "save_descriptors", lambda _, made: kept.append(len(made.rows))
    )
    assert tool.call(video_set)[0] == 0
    assert kept == [*range(1, 13), 12]


@pytest.mark.slow
def test_command_line_with_worker_processes(video_set: Path, tmp_path: Path) -> None:
    """Of motion, whose task is a function of the script itself."""
    command = [sys.executable, TOOLS / "data" / "extract_motion.py", video_set, "--workers", "2"]
    command += ["--out", tmp_path / "m.npz"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "12 videos done now, 0 before, 0 broken" in done.stdout
    assert len(read_descriptors(tmp_path / "m.npz").rows) == 12
