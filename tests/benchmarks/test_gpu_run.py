from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

GPU = Path(__file__).parents[2] / "benchmarks" / "gpu"


@pytest.fixture
def run(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(GPU))
    spec = importlib.util.spec_from_file_location("gpu_run", GPU / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def settings(run, tmp_path: Path):
    return run.Settings(torch.device("cpu"), small=True, data=None, scratch=tmp_path)


def stage(calls: list[str], **results: object) -> SimpleNamespace:
    """A stage whose measurements return, or raise, what is given."""

    def measure(name: str) -> dict:
        calls.append(name)
        if isinstance(results[name], Exception):
            raise results[name]
        return results[name]

    return SimpleNamespace(
        measurements=lambda settings: ((n, lambda n=n: measure(n)) for n in results),
        table=lambda results: f"{len(results)} measurements",
    )


def test_what_is_done_is_not_done_again(run, settings, tmp_path: Path) -> None:
    calls: list[str] = []
    some = stage(calls, a=dict(passed=True), b=dict(seconds=1.0))
    assert run.run_stage("demo", some, settings, tmp_path) == run.DONE
    assert run.run_stage("demo", some, settings, tmp_path) == run.DONE
    more = stage(calls, a=dict(passed=True), b=dict(seconds=1.0), c=dict(seconds=2.0))
    assert run.run_stage("demo", more, settings, tmp_path) == run.DONE
    assert calls == ["a", "b", "c"]
    assert (tmp_path / "demo_cpu_small.md").read_text().endswith("3 measurements\n")


@pytest.mark.parametrize("bad", [dict(passed=False), RuntimeError("no memory")])
def test_a_failure_is_written_ends_with_one_and_is_tried_again(
    run, settings, tmp_path: Path, bad, capsys
) -> None:
    calls: list[str] = []
    assert run.run_stage("demo", stage(calls, a=bad, b={}), settings, tmp_path) == run.FAILED
    assert "failed or not as expected: a\n" in capsys.readouterr().out
    result = json.loads((tmp_path / "demo_cpu_small.json").read_text())["measurements"]["a"]
    assert result.get("failed", "RuntimeError: no memory") == "RuntimeError: no memory"
    assert run.run_stage("demo", stage(calls, a={}, b={}), settings, tmp_path) == run.DONE
    assert calls == ["a", "b", "a"]


def test_a_measurement_that_is_no_longer_asked_for_does_not_count(run, settings, tmp_path) -> None:
    run.run_stage("demo", stage([], old=RuntimeError("x")), settings, tmp_path)
    assert run.run_stage("demo", stage([], new={}), settings, tmp_path) == run.DONE


def test_the_time_limit_stops_between_measurements(
    run, settings, tmp_path: Path, monkeypatch
) -> None:
    calls: list[str] = []
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def slow(name: str) -> dict:
        calls.append(name)
        clock[0] += 20
        return {}

    names = SimpleNamespace(
        measurements=lambda settings: ((n, lambda n=n: slow(n)) for n in "abc"), table=str
    )
    # After the first there is less left than it took.
    late = dataclasses.replace(settings, time_limit=30, start=0.0)
    assert run.run_stage("demo", names, late, tmp_path) == run.UNFINISHED
    assert calls == ["a"]
    assert run.run_stage("demo", names, settings, tmp_path) == run.DONE
    assert calls == ["a", "b", "c"]


def test_a_measurement_may_run_out_of_time_itself(run, settings, tmp_path: Path) -> None:
    calls: list[str] = []
    late = stage(calls, a={}, b=run.OutOfTime(), c={})
    assert run.run_stage("demo", late, settings, tmp_path) == run.UNFINISHED
    assert calls == ["a", "b"]
    kept = json.loads((tmp_path / "demo_cpu_small.json").read_text())["measurements"]
    assert list(kept) == ["a"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_no_gpu_is_one_sentence(run, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        run.main(["--out", str(tmp_path)])
    assert "torch sees no GPU here: --device cpu --small" in capsys.readouterr().err


def test_a_folder_that_is_no_video_set_is_one_sentence(run, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        run.main(["--device", "cpu", "--out", str(tmp_path), "--data", str(tmp_path)])
    assert "has no train_split1.txt" in capsys.readouterr().err


def test_only_stages_on_videos_depend_on_them(run, tmp_path: Path, monkeypatch, capsys) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "train_split1.txt").touch()
    some = stage([], a={})
    monkeypatch.setattr(run, "STAGES", dict(correctness=some, throughput=some))
    call = ["--device", "cpu", "--out", str(tmp_path), "--stage"]
    with_videos = ["--data", str(given)]
    assert run.main([*call, "correctness", "throughput"]) == run.DONE
    assert run.main([*call, "correctness", *with_videos]) == run.DONE
    with pytest.raises(SystemExit):
        run.main([*call, "throughput", *with_videos])
    assert "data: made up -> given): choose another --out" in capsys.readouterr().err


def whole_run(out: Path, scratch: Path, *stages: str) -> dict:
    """Measurements by stage of the real command on this CPU."""
    environment = dict(os.environ, TMPDIR=str(scratch), OMP_NUM_THREADS="1")
    call = [sys.executable, "-W", "ignore", str(GPU / "run.py"), "--device", "cpu", "--small"]
    call += ["--out", str(out), "--stage", *stages]
    done = subprocess.run(call, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = {name: json.loads((out / f"{name}_cpu_small.json").read_text()) for name in stages}
    return {name: content["measurements"] for name, content in kept.items()}


@pytest.mark.slow
def test_the_stages_on_a_cpu(run, tmp_path: Path, capsys) -> None:
    stages = ("correctness", "throughput", "neighbours")
    results = whole_run(tmp_path / "out", tmp_path, *stages)
    assert all(r.get("passed", True) for found in results.values() for r in found.values())
    assert sum("passed" in result for result in results["correctness"].values()) > 40
    skipped = {n for found in results.values() for n, r in found.items() if "skipped" in r}
    assert {n for n in skipped if "faiss" not in n and "decoding" not in n} == {
        "step, bf16, weights, 2 videos, compiled"
    }
    loops = [r for n, r in results["throughput"].items() if n.startswith("loop")]
    assert len(loops) == 3 and all(0 <= r["input_share"] < 1 for r in loops)
    table = (tmp_path / "out" / "throughput_cpu_small.md").read_text()
    assert "share of matrix rate" in table and "Without figures" in table

    before = (tmp_path / "out" / "throughput_cpu_small.json").stat().st_mtime_ns
    call = ["--device", "cpu", "--small", "--out", str(tmp_path / "out"), "--stage", *stages]
    assert run.main(call) == run.DONE
    assert len(capsys.readouterr().out.splitlines()) == len(stages)
    assert (tmp_path / "out" / "throughput_cpu_small.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_the_pretraining_stage_on_a_cpu(tmp_path: Path) -> None:
    results = whole_run(tmp_path / "out", tmp_path, "pretraining")
    figures = {a: r for it in results["pretraining"].values() for a, r in it["figures"].items()}
    assert list(figures) == ["slic", "motion_alone"]
    assert all({row["epoch"] for row in rows} == {0, 1} for rows in figures.values())
    table = (tmp_path / "out" / "pretraining_cpu_small.md").read_text()
    assert "| random | projection |" in table
    assert "| slic | backbone |" in table and "| motion_alone | backbone |" in table
