"""A NaN loss stops the run, on every rank, with a sentence."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from slic_mmaction.compat.checkpoints import load_from_local

pytestmark = pytest.mark.faults

HERE = Path(__file__).parent
IMPORTS = ["slic_mmaction", "killing", "bad_days"]


def spoilt(output: str) -> list[str]:
    """Names of the videos in the batch that was spoilt."""
    (numbers,) = re.findall(r"SPOILT (\[.*\])", output)
    return [f"train_{i}.mp4" for i in json.loads(numbers)]


def named(sentence: str) -> list[str]:
    return sorted({Path(path).name for path in re.findall(r"[^ ]+\.mp4", sentence)})


def assert_last_checkpoint_is_good(work_dir: Path) -> None:
    last = Path((work_dir / "last_checkpoint").read_text())
    assert last.name == "epoch_2.pth" and not (work_dir / "epoch_3.pth").exists()
    weights = load_from_local(str(last), "cpu")["state_dict"].values()
    assert all(torch.isfinite(weight).all() for weight in weights)


def test_one_process(fault_config, start, fault_row: Callable, tmp_path: Path) -> None:
    hooks = [dict(type="SpoilClips", epoch=3, iteration=2)]
    config = fault_config(custom_imports__imports=IMPORTS, hooks=hooks)
    code, output = start(config, tmp_path / "work").end()
    assert code == 1
    sentence = output.strip().splitlines()[-1]
    assert sentence.startswith("FloatingPointError: The loss of epoch 3, iteration 2 is nan (loss_")
    assert named(sentence) == spoilt(output)
    assert f"the last good checkpoint is {tmp_path / 'work' / 'epoch_2.pth'}" in sentence
    assert_last_checkpoint_is_good(tmp_path / "work")
    fault_row("NaN in a batch, one process", 1, "stopped in the same iteration, sentence complete")


def test_one_of_two_ranks(fault_config, fault_row: Callable, tmp_path: Path) -> None:
    hooks = [dict(type="SpoilClips", epoch=3, iteration=2, rank=1)]
    config = fault_config(
        custom_imports__imports=IMPORTS, hooks=hooks, train_dataloader__batch_size=2
    )
    work_dir = tmp_path / "work"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    tool = str(HERE.parents[1] / "tools" / "train.py")
    done = subprocess.run(
        # Each rank's output into a file of its own.
        [
            *(*launch, f"--log-dir={tmp_path / 'logs'}", "--redirects=3", tool, str(config)),
            *("--work-dir", str(work_dir), "--launcher", "pytorch"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=f"{HERE.parents[1]}:{HERE}"),
    )
    assert done.returncode != 0
    errors = sorted((tmp_path / "logs").rglob("stderr.log"), key=lambda path: path.parent.name)
    sentences = [
        [line for line in path.read_text().splitlines() if "FloatingPointError:" in line][-1]
        for path in errors
    ]
    assert len(sentences) == 2  # no rank was left to wait for the other
    output = (errors[1].parent / "stdout.log").read_text()
    for sentence in sentences:
        sentence = sentence.partition("FloatingPointError: ")[2]
        assert sentence.startswith("The loss of epoch 3, iteration 2 is nan (loss_")
        assert " on rank 1 for " in sentence and "on rank 0" not in sentence
        assert named(sentence) == spoilt(output)
    assert_last_checkpoint_is_good(work_dir)
    fault_row("NaN in a batch of one of two ranks", 1, "both ranks stopped with the sentence")
