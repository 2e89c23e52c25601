"""The soak's verdict, and a short soak; the long one is ``python tests/faults/soak.py``."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.faults

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def report() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak_report", HERE / "soak_report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def samples(leak: dict[str, float]) -> list[dict[str, Any]]:
    """400 samples of two processes; worker 7 appears late, main's figures rise by the leak."""
    made = []
    for i in range(400):
        peak = 12 * (i % 3)
        main = dict(rss=5e8 + 1e6 * peak, files=30 + peak, segments=20 + peak)
        main = {key: value + i * leak.get(key, 0) for key, value in main.items()}
        processes = {"5": main, "6": dict(rss=4e8, files=9, segments=3)}
        if i > 100:
            processes["7"] = dict(rss=i, files=i, segments=i)
        made.append(dict(iteration=5 * i, processes=processes))
    return made


def judge(report: ModuleType, leak: dict[str, float], **changes: Any) -> list[str]:
    series = report.long_lived(samples(leak), 400, 2000)
    assert list(series) == ["5", "6"]
    processes = {
        pid: dict(
            rss_mb=[rss / 1e6 for rss in report.medians(s["rss"])],
            files=report.base_levels(s["files"]),
            segments=report.base_levels(s["segments"]),
        )
        for pid, s in series.items()
    }
    whole = dict(exit_code=0, iterations=2000, processes=processes, segments_left=[])
    killed = dict(processes_left=[], segments_left=[])
    for part, value in changes.items():
        dict(whole=whole, killed=killed)[part].update(value)
    return report.complaints(dict(whole=whole, killed=killed), 2000, 2, in_flight=12)


def test_peaks_are_no_leak(report) -> None:
    assert judge(report, {}) == []


@pytest.mark.parametrize(
    ("leak", "said"),
    [
        (dict(rss=1e5), "memory of 5"),  # 100 kB for each sample
        (dict(files=0.1), "files of 5"),
        (dict(segments=0.1), "segments of 5"),
    ],
)
def test_leaks_are_said(report, leak: dict[str, float], said: str) -> None:
    (complaint,) = judge(report, leak)
    assert complaint.startswith(f"{said} went from")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(whole=dict(exit_code=1)), "training ended with 1"),
        (dict(whole=dict(iterations=10)), "after 10"),
        (dict(whole=dict(segments_left=["torch_1"])), r"left in /dev/shm \(whole\)"),
        (dict(killed=dict(segments_left=["torch_1"])), r"left in /dev/shm \(killed\)"),
        (dict(killed=dict(processes_left=[9])), "processes left after kill -9"),
    ],
)
def test_what_is_left_is_said(report, changes: dict[str, Any], said: str) -> None:
    (complaint,) = judge(report, {}, **changes)
    assert re.search(said, complaint)


@pytest.mark.faults(full=True)
@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_a_short_soak(fault_row: Callable, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "soak.py"), "--iterations", "300", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if "unshare: " in done.stdout:
        pytest.skip(f"no name space of its own: {done.stdout.strip()}")
    assert done.returncode == 0, done.stdout[-3000:]
    result = json.loads((tmp_path / "soak.json").read_text())
    assert result["complaints"] == [] and (tmp_path / "soak.png").stat().st_size > 10_000
    assert result["whole"]["clusterings"] == 6
    rss = result["whole"]["processes"]["main"]["rss_mb"]
    fault_row(
        "300 iterations, 4 workers, then kill -9 of another run", 1,
        f"main {min(rss)} to {max(rss)} MB, nothing left in /dev/shm",
    )  # fmt: skip
