from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from slic_mmaction.flow import motion_boundary_histograms, sampled_flow
from slic_mmaction.preparation.workers import Failure
from slic_mmaction.pseudo_labels.descriptors import Descriptors, read_descriptors, save_descriptors

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tools" / "data" / "extract_motion.py"


@pytest.fixture
def tool(monkeypatch) -> ModuleType:
    """The tool, with its worker processes replaced by this one."""
    spec = importlib.util.spec_from_file_location("extract_motion", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run_here(task, jobs, workers, timeout):
        for job in jobs:
            try:
                yield job, task(job)
            except ValueError as error:
                yield job, Failure(str(error))

    monkeypatch.setattr(module, "run_isolated", run_here)
    return module


@pytest.fixture
def call(tool, monkeypatch):
    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["extract_motion.py", *map(str, arguments)])
        return tool.main()

    return run


def test_annotation_file_then_the_other_videos(
    call, tool, video_set: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "motion.npz"
    options = ("--video-root", video_set, "--out", out)
    assert call(video_set / "test.txt", *options) == 0
    assert "4 videos done now, 0 before, 0 broken" in capsys.readouterr().out
    made = read_descriptors(out)
    assert list(made.rows) == [f"test_{i}" for i in range(4)] and made.settings == tool.SETTINGS
    flow = sampled_flow(video_set / "test_2.mp4", **tool.SETTINGS)
    np.testing.assert_array_equal(made.rows["test_2"], motion_boundary_histograms(flow))
    assert call(video_set, "--out", out) == 0
    assert "8 videos done now, 4 before" in capsys.readouterr().out
    assert len(read_descriptors(out).rows) == 12


def test_broken_videos_are_recorded_until_they_are_mended(
    call, video_set: Path, tmp_path: Path, capsys
) -> None:
    videos, out = tmp_path / "videos", tmp_path / "motion.npz"
    (videos / "a").mkdir(parents=True)
    (videos / "a" / "good.mp4").write_bytes((video_set / "test_0.mp4").read_bytes())
    (videos / "bad.mp4").write_bytes(b"")
    assert call(videos, "--out", out) == 1
    assert "1 videos done now, 0 before, 1 broken" in capsys.readouterr().out
    report = tmp_path / "motion.broken_videos.txt"
    assert report.read_text() == f"{videos / 'bad.mp4'}\tcannot be opened as a video\n"
    (videos / "bad.mp4").write_bytes((video_set / "test_1.mp4").read_bytes())
    assert call(videos, "--out", out) == 0
    assert not report.exists() and set(read_descriptors(out).rows) == {"a/good", "bad"}


def test_a_stopped_run_goes_on(tool, call, video_set: Path, tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "motion.npz"
    whole = tool.run_isolated

    def stopped(task, jobs, workers, timeout):
        for number, done in enumerate(whole(task, jobs, workers, timeout)):
            if number == 5:
                raise KeyboardInterrupt
            yield done

    monkeypatch.setattr(tool, "run_isolated", stopped)
    assert call(video_set, "--out", out) == 130
    assert len(read_descriptors(out).rows) == 5
    monkeypatch.setattr(tool, "run_isolated", whole)
    assert call(video_set, "--out", out) == 0
    assert len(read_descriptors(out).rows) == 12


def test_a_killed_run_has_kept_most(tool, call, video_set, tmp_path, monkeypatch) -> None:
    out = tmp_path / "motion.npz"
    kept = []
    monkeypatch.setattr(tool, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(tool, "save_descriptors", lambda path, made: kept.append(len(made.rows)))
    assert call(video_set, "--out", out) == 0
    assert kept == [*range(1, 13), 12]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{videos}/none.txt"], "There is no annotation file or folder"),
        (["{videos}/test.txt"], "name the folder that its paths are relative to"),
        (["{videos}/test.txt", "--video-root", "{videos}"], "was made with the settings"),
    ],
)
def test_wrong_use_is_one_sentence(
    call, video_set: Path, tmp_path: Path, capsys, arguments, sentence
) -> None:
    out = tmp_path / "motion.npz"
    save_descriptors(out, Descriptors({"test_0": np.ones(3)}, dict(step=1)))
    filled = [argument.format(videos=video_set) for argument in arguments]
    assert call(*filled, "--out", out) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_two_videos_of_one_name(call, video_set: Path, tmp_path: Path, capsys) -> None:
    for name in ("v.mp4", "v.avi"):
        (tmp_path / name).write_bytes((video_set / "test_0.mp4").read_bytes())
    assert call(tmp_path, "--out", tmp_path / "motion.npz") == 2
    assert "differ in nothing but the suffix" in capsys.readouterr().err


@pytest.mark.parametrize("options", [("--workers", "0"), ("--out", "motion.txt")])
def test_wrong_options(call, video_set: Path, tmp_path: Path, options) -> None:
    with pytest.raises(SystemExit) as stop:
        call(video_set, "--out", tmp_path / "motion.npz", *options)
    assert stop.value.code == 2


@pytest.mark.slow
def test_command_line_with_two_workers(video_set: Path, tmp_path: Path) -> None:
    command = [sys.executable, SOURCE, video_set, "--out", tmp_path / "m.npz", "--workers", "2"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "12 videos done now, 0 before, 0 broken" in done.stdout
    assert len(read_descriptors(tmp_path / "m.npz").rows) == 12
