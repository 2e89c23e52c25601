"""The command line as a user types it, and MMAction2's own tools on our config."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from slic_mmaction.stock_tools import stock_tool

TOOLS = Path(__file__).parents[2] / "tools"

pytestmark = pytest.mark.slow


def test_train_with_the_stock_tool_then_resume_and_test_with_ours(
    tiny_config, start_program, tmp_path: Path
) -> None:
    config, work = tmp_path / "tiny.py", tmp_path / "run"
    tiny_config().dump(str(config))
    # In a process that has not imported the package: the config does.
    command = [sys.executable, stock_tool("train"), config, "--work-dir", work]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    assert (work / "epoch_2.pth").is_file()

    options = ("--resume", "--cfg-options", "train_cfg.max_epochs=3")
    code, said = start_program(TOOLS / "train.py", config, "--work-dir", work, *options).end()
    assert code == 0 and "resumed epoch: 2" in said and (work / "epoch_3.pth").is_file()

    options = ("--work-dir", tmp_path / "test")
    code, said = start_program(TOOLS / "test.py", config, work / "epoch_3.pth", *options).end()
    assert code == 0 and "4 queries" in said and "R@1" in said and "protocol center" in said
