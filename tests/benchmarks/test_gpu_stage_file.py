from __future__ import annotations

import dataclasses
import importlib
import json
import time
from pathlib import Path
from types import ModuleType

import pytest
import torch

GPU = Path(__file__).parents[2] / "benchmarks" / "gpu"


@pytest.fixture
def files(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(GPU))
    return importlib.import_module("stage_file")


@pytest.fixture
def settings(files, tmp_path: Path):
    module = importlib.import_module("settings")
    return module.Settings(torch.device("cpu"), small=True, data=None, scratch=tmp_path / "scratch")


def test_figures_are_on_disk_as_soon_as_they_are_made(files, settings, tmp_path: Path) -> None:
    file = files.StageFile(tmp_path / "out", "demo", settings)
    file.add("first", dict(seconds=1.5))
    content = json.loads((tmp_path / "out" / "demo_cpu_small.json").read_text())
    assert content["measurements"] == {"first": dict(seconds=1.5)}
    assert content["machine"]["torch"] == torch.__version__
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["demo_cpu_small.json"]


def test_a_second_call_knows_what_is_done(files, settings, tmp_path: Path) -> None:
    file = files.StageFile(tmp_path, "demo", settings)
    file.add("good", dict(passed=True))
    file.add("broken", dict(failed="no memory"))
    file.add("wrong", dict(passed=False))
    file.add("skipped", dict(skipped="no such decoder"))
    again = files.StageFile(tmp_path, "demo", settings)
    done = {name: again.is_done(name) for name in (*again.results, "new")}
    assert done == dict(good=True, broken=False, wrong=False, skipped=True, new=False)


def test_figures_of_another_machine_are_not_mixed_in(files, settings, tmp_path: Path) -> None:
    file = files.StageFile(tmp_path, "demo", settings)
    file.header = dict(file.header, device="another processor")
    file.add("good", dict(passed=True))
    with pytest.raises(ValueError, match=r"device: another processor -> .*choose another --out"):
        files.StageFile(tmp_path, "demo", settings)


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '{"machine": {}'])
def test_a_file_of_something_else_is_an_error(files, settings, tmp_path: Path, content) -> None:
    (tmp_path / "demo_cpu_small.json").write_text(content)
    with pytest.raises(ValueError, match=r"demo_cpu_small\.json holds no figures"):
        files.StageFile(tmp_path, "demo", settings)


def test_sizes_have_files_of_their_own(files, settings, tmp_path: Path) -> None:
    large = dataclasses.replace(settings, small=False)
    assert files.StageFile(tmp_path, "demo", large).path.name == "demo_cpu.json"


def test_time_runs_from_the_start_of_the_call(settings) -> None:
    assert settings.seconds_left() == float("inf")
    late = dataclasses.replace(settings, time_limit=10.0, start=time.monotonic() - 30)
    assert -20.5 < late.seconds_left() <= -20


def test_markdown(files) -> None:
    table = files.markdown(["a", "b"], [[None, 0.012345], [False, "x|y\nz"], [12, 45678.9]])
    assert table.splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| - | 0.0123 |",
        "| NO | x\\|y z |",
        "| 12 | 45679 |",
    ]
