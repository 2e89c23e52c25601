from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import pytest

from slic_mmaction.flow import FlowSettings, read_flow, read_settings
from slic_mmaction.preparation.workers import Failure

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tools" / "data" / "extract_flow.py"


@pytest.fixture
def tool(monkeypatch) -> ModuleType:
    """The tool, with its worker processes replaced by this one."""
    spec = importlib.util.spec_from_file_location("extract_flow", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run_here(task, jobs, workers, timeout):
        for job in jobs:
            yield job, task(job)

    monkeypatch.setattr(module, "run_isolated", run_here)
    return module


@pytest.fixture
def call(tool, monkeypatch):
    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["extract_flow.py", *map(str, arguments)])
        return tool.main()

    return run


def test_annotation_file(call, video_set: Path, tmp_path: Path, capsys) -> None:
    options = ("--video-root", video_set, "--out", tmp_path, "--method", "dis", "--bound", 10)
    assert call(video_set / "test.txt", *options) == 0
    assert "4 videos done now, 0 before, 0 broken" in capsys.readouterr().out
    stored = tmp_path / "test_0.flow.zip"
    assert read_settings(stored) == FlowSettings("dis", "x", 10.0, 128)
    assert len(read_flow(stored, range(12))) == 12
    assert call(video_set / "test.txt", *options) == 0
    assert "0 videos done now, 4 before" in capsys.readouterr().out


def test_broken_videos_are_recorded_until_they_are_mended(
    call, video_set: Path, tmp_path: Path, capsys
) -> None:
    videos, out = tmp_path / "videos", tmp_path / "flow"
    videos.mkdir()
    (videos / "good.mp4").write_bytes((video_set / "test_0.mp4").read_bytes())
    (videos / "bad.mp4").write_bytes(b"")
    assert call(videos, "--out", out, "--method", "farneback") == 1
    assert "1 videos done now, 0 before, 1 broken" in capsys.readouterr().out
    report = out / "broken_videos.txt"
    assert report.read_text() == f"{videos / 'bad.mp4'}\tcannot be opened as a video\n"
    (videos / "bad.mp4").write_bytes((video_set / "test_1.mp4").read_bytes())
    assert call(videos, "--out", out, "--method", "farneback") == 0
    assert not report.exists() and (out / "bad.flow.zip").is_file()


def test_crashed_and_stopped_workers(tool, call, video_set: Path, tmp_path, monkeypatch) -> None:
    options = (video_set / "test.txt", "--video-root", video_set, "--out", tmp_path)

    def crash(task, jobs, workers, timeout):
        for job in jobs:
            yield job, Failure("crashed the process that worked on it (SIGSEGV)")

    monkeypatch.setattr(tool, "run_isolated", crash)
    assert call(*options, "--method", "dis") == 1
    assert (tmp_path / "broken_videos.txt").read_text().count("SIGSEGV") == 4

    def stop(task, jobs, workers, timeout):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(tool, "run_isolated", stop)
    assert call(*options, "--method", "dis") == 130


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{videos}/none.txt"], "There is no annotation file or folder"),
        (["{videos}/test.txt"], "name the folder that its paths are relative to"),
        (["{videos}/test.txt", "--video-root", "{videos}"], "method farneback instead of dis"),
    ],
)
def test_wrong_use_is_one_sentence(
    call, video_set: Path, tmp_path: Path, capsys, arguments, sentence
) -> None:
    assert call(video_set, "--out", tmp_path, "--method", "farneback") == 0
    capsys.readouterr()
    filled = [argument.format(videos=video_set) for argument in arguments]
    assert call(*filled, "--out", tmp_path, "--method", "dis") == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_wrong_numbers_and_a_missing_contrib_module(
    call, video_set: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    for option in (("--short-side", 8), ("--bound", 0), ("--workers", 0)):
        with pytest.raises(SystemExit) as stop:
            call(video_set, "--out", tmp_path, *option)
        assert stop.value.code == 2
    capsys.readouterr()
    monkeypatch.delattr(cv2, "optflow", raising=False)
    assert call(video_set, "--out", tmp_path) == 2
    said = capsys.readouterr().err
    assert "opencv-contrib-python" in said and said.count("\n") == 1


@pytest.mark.slow
def test_command_line_with_two_workers(video_set: Path, tmp_path: Path) -> None:
    def run(*options: str) -> subprocess.CompletedProcess:
        command = [sys.executable, SOURCE, video_set, "--out", tmp_path, "--method", "dis"]
        return subprocess.run(
            [*map(str, command), *options],
            capture_output=True,
            text=True,
            timeout=300,
            env=dict(os.environ, OMP_NUM_THREADS="1"),
        )

    done = run("--workers", "2", "--component", "xy")
    assert done.returncode == 0, done.stderr
    assert "12 videos done now" in done.stdout
    assert len(list(tmp_path.glob("*.flow.zip"))) == 12
    refused = run()
    assert refused.returncode == 2 and "component xy instead of x" in refused.stderr
