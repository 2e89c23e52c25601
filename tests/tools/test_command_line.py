"""The command line as a user types it, and MMAction2's own tools on our config."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slic_mmaction.stock_tools import stock_tool

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def run(*command: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture
def config(tiny_config, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.py"
    tiny_config().dump(str(path))
    return path


def test_train_resume_and_test(config: Path, tmp_path: Path) -> None:
    work = tmp_path / "run"
    run("tools/train.py", config, "--work-dir", work)
    assert (work / "epoch_2.pth").is_file()
    said = run(
        "tools/train.py", config, "--work-dir", work, "--resume",
        "--cfg-options", "train_cfg.max_epochs=3",
    )  # fmt: skip
    assert "resumed epoch: 2" in said and (work / "epoch_3.pth").is_file()
    said = run("tools/test.py", config, work / "epoch_3.pth", "--work-dir", tmp_path / "test")
    assert "4 queries" in said and "R@1" in said and "protocol center" in said


def test_stock_train_tool_runs_our_config(config: Path, tmp_path: Path) -> None:
    run(stock_tool("train"), config, "--work-dir", tmp_path / "run")
    assert (tmp_path / "run" / "epoch_2.pth").is_file()
