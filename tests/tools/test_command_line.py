"""The command line as a user types it, and MMAction2's own tools on our config."""

from __future__ import annotations

import signal
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
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert lines[0] == f"training: {config}, 8 videos, 2 epochs of 2 steps, on the CPU"
    assert len(lines) < 15 and sum(line.startswith("epoch ") for line in lines) == 2
    last = f"{work}/epoch_2.pth"
    end = [f"checkpoint: {last}", f"next: python tools/test.py {config} {last}"]
    assert lines[-2:] == end and Path(last).is_file()

    options = ("--resume", "--cfg-options", "train_cfg.max_epochs=3")
    code, said = start_program(TOOLS / "train.py", config, "--work-dir", work, *options).end()
    assert code == 0 and "\ncontinuing after epoch 2\n" in said and "\nepoch 3 of 3: " in said
    assert "System environment:" not in said and (work / "epoch_3.pth").is_file()

    options = ("--work-dir", tmp_path / "test")
    command = (TOOLS / "test.py", config, work / "epoch_3.pth", *options)
    code, said = start_program(*command).end()
    lines = said[said.index("test: ") :].splitlines()
    assert code == 0 and lines[0] == f"test: {config}, 12 videos, on the CPU"
    assert lines[3] == "retrieval (protocol center, 4 frames, 16px): 4 queries in 8 gallery videos"
    assert lines[5].startswith("R@1 ") and lines[5].endswith(" 50.0 %") and len(lines) == 7
    # MMEngine's console.
    code, said = start_program(*command, "--cfg-options", "runner_type=Runner").end()
    assert code == 0 and "System environment:" in said and "test: " not in said


def test_an_interrupted_training_says_how_to_continue(tiny_config, tmp_path: Path) -> None:
    config = tmp_path / "tiny.py"
    tiny_config(train_cfg__max_epochs=10_000, train_dataloader__num_workers=1).dump(str(config))
    command = [sys.executable, "-W", "ignore", TOOLS / "train.py", config, "--work-dir", tmp_path]
    training = subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ignored in what a shell started with &, and by whatever that starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    next(line for line in training.stdout if line.startswith("epoch "))
    training.send_signal(signal.SIGINT)
    said = training.communicate()[1]
    assert training.returncode == 130 and "Traceback" not in said
    last = said.splitlines()[-1]
    assert last.startswith("Stopped. To continue: python ") and last.endswith(" --resume")
    assert f"train.py {config} --work-dir {tmp_path}" in last
