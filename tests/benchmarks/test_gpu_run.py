"""benchmarks/gpu: every stage on this CPU, and what is kept when a call is cut short."""

from __future__ import annotations

import dataclasses
import json
import runpy
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(load_gpu) -> ModuleType:
    return load_gpu("run")


@pytest.fixture
def settings(run, tmp_path: Path):
    return run.Settings(torch.device("cpu"), small=True, data=None, scratch=tmp_path)


def run_here(call: list[str], *_: object, **__: object) -> SimpleNamespace:
    """Run a Python script, and those that it starts, in this process: each import is costly."""
    real = subprocess.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", call[1:])
        start = lambda c, **o: (run_here if c[0] == sys.executable else real)(c, **o)  # noqa: E731
        patch.setattr(subprocess, "run", start)
        runpy.run_path(str(ROOT / call[1]), run_name="__main__")
    return SimpleNamespace(returncode=0)


@pytest.mark.slow
def test_every_stage_on_a_cpu(run, video_set: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(run.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(run.pretraining, "run_program", run_here)
    data = tmp_path / "data"
    data.mkdir()
    (data / "videos").symlink_to(video_set)
    for split in ("train", "test"):
        (data / f"{split}_split1.txt").symlink_to(video_set / f"{split}.txt")
    out = tmp_path / "out"
    call = ["--device", "cpu", "--small", "--out", str(out), "--data", str(data)]
    assert run.main(call) == run.DONE, capsys.readouterr().out
    results = {
        name: json.loads((out / f"{name}_cpu_small.json").read_text())["measurements"]
        for name in run.STAGES
    }
    checks = results["correctness"].values()
    assert len(checks) > 40 and all(check["passed"] for check in checks)
    loops = [r for n, r in results["throughput"].items() if n.startswith("loop")]
    assert len(loops) == 3 and all(0 <= r["input_share"] < 1 for r in loops)
    table = (out / "throughput_cpu_small.md").read_text()
    assert "share of matrix rate" in table and "Convolutions run at" in table
    assert all(result.get("passed", True) for result in results["neighbours"].values())
    (seed,) = results["pretraining"].values()
    assert {row["epoch"] for row in seed["figures"]["slic"]} == {0, 1}
    table = (out / "pretraining_cpu_small.md").read_text()
    assert "| untrained | 0 | 1 |" in table and "| slic | 1 | 1 |" in table

    # What is done is not done again.
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.json")}
    capsys.readouterr()
    assert run.main(call) == run.DONE
    assert len(capsys.readouterr().out.splitlines()) == len(run.STAGES)
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.json")} == before


def stage(calls: list[str], **results: object) -> SimpleNamespace:
    """A stage whose measurements return, or raise, what is given."""

    def measure(name: str) -> dict:
        calls.append(name)
        if isinstance(results[name], BaseException):
            raise results[name]
        return results[name]

    return SimpleNamespace(
        measurements=lambda settings: ((n, lambda n=n: measure(n)) for n in results),
        table=lambda results: f"{len(results)} measurements",
    )


def test_figures_are_on_disk_at_once_and_failures_are_tried_again(
    run, settings, tmp_path: Path, capsys
) -> None:
    path, calls = tmp_path / "demo_cpu_small.json", []
    bad = stage(calls, a=dict(passed=False), b=RuntimeError("no memory"), c=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run.run_stage("demo", bad, settings, tmp_path)
    content = json.loads(path.read_text())
    assert content["machine"]["torch"] == torch.__version__
    assert content["measurements"]["b"]["failed"] == "RuntimeError: no memory"
    some = stage(calls, a=dict(passed=False), b=dict(seconds=1.0))
    assert run.run_stage("demo", some, settings, tmp_path) == run.FAILED
    assert "failed or not as expected: a\n" in capsys.readouterr().out
    assert run.run_stage("demo", stage(calls, a={}, b={}), settings, tmp_path) == run.DONE
    assert calls == ["a", "b", "c", "a", "b", "a"]
    assert path.with_suffix(".md").read_text().endswith("2 measurements\n")


def test_the_time_limit_stops_before_and_within_measurements(
    run, settings, tmp_path: Path, monkeypatch
) -> None:
    clock, calls = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def slow(name: str) -> dict:
        calls.append(name)
        clock[0] += 20
        return {}

    names = SimpleNamespace(
        measurements=lambda settings: ((n, lambda n=n: slow(n)) for n in "abc"), table=str
    )
    late = dataclasses.replace(settings, time_limit=30, start=0.0)
    assert run.run_stage("demo", names, late, tmp_path) == run.UNFINISHED
    assert run.run_stage("demo", names, settings, tmp_path) == run.DONE
    assert calls == ["a", "b", "c"]
    itself = stage(calls, a={}, d=run.OutOfTime(), e={})
    assert run.run_stage("demo", itself, settings, tmp_path) == run.UNFINISHED
    assert calls[3:] == ["d"]
    with pytest.raises(run.OutOfTime):
        run.pretraining.run_program([], tmp_path / "log", dataclasses.replace(late, time_limit=5))


def test_figures_of_another_machine_are_not_mixed_in(run, settings, tmp_path: Path) -> None:
    file = run.StageFile(tmp_path, "demo", settings)
    file.header = dict(file.header, device="another GPU")
    file.add("good", dict(passed=True))
    with pytest.raises(ValueError, match=r"device: another GPU -> cpu.*choose another --out"):
        run.StageFile(tmp_path, "demo", settings)
    for content in ("", "{}", "[1, 2]"):
        file.path.write_text(content)
        with pytest.raises(ValueError, match=r"demo_cpu_small\.json holds no figures"):
            run.StageFile(tmp_path, "demo", settings)
    large = dataclasses.replace(settings, small=False)
    assert run.StageFile(tmp_path, "demo", large).path.name == "demo_cpu.json"


def test_a_program_is_ended_with_all_that_it_started(load_gpu, settings, tmp_path) -> None:
    pretraining, pid_file = load_gpu("pretraining"), tmp_path / "pid"
    code = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid)); time.sleep(600)"
    )

    def wait_for_child(process: subprocess.Popen, timeout: float | None = None) -> int:
        while timeout and not (pid_file.exists() and pid_file.read_text()):
            time.sleep(0.01)
        return real(process, 0 if timeout else None)  # no time is left once there is a child

    late, real = dataclasses.replace(settings, time_limit=100.0), subprocess.Popen.wait
    with pytest.MonkeyPatch.context() as patch, pytest.raises(pretraining.OutOfTime):
        patch.setattr(subprocess.Popen, "wait", wait_for_child)
        pretraining.run_program([sys.executable, "-S", "-c", code], tmp_path / "log", late)
    stat = Path(f"/proc/{pid_file.read_text()}/stat")
    while stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z":
        time.sleep(0.01)
    failing = [sys.executable, "-c", "raise SystemExit('it broke')"]
    with pytest.raises(RuntimeError, match="ended with 1:\nit broke"):
        pretraining.run_program(failing, tmp_path / "log", settings)
