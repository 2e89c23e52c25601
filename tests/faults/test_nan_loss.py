"""A NaN loss stops the run, on every rank, with a sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from slic_mmaction.compat.checkpoints import load_from_local

pytestmark = pytest.mark.faults


def check_sentence(said: str, spoilt: str, rank: str = "") -> None:
    """It names the batch's videos, as the hook that spoilt them has printed them."""
    sentence = [line for line in said.splitlines() if "FloatingPointError:" in line][-1]
    begin = "FloatingPointError: The loss of epoch 3, iteration 2 is nan (loss_"
    assert begin in sentence and rank in sentence and "on rank 0" not in sentence
    (numbers,) = re.findall(r"SPOILT (\[.*\])", spoilt)
    named = {Path(path).name for path in re.findall(r"[^ ]+\.mp4", sentence)}
    assert named == {f"train_{i}.mp4" for i in json.loads(numbers)}


def check_last_checkpoint(work_dir: Path) -> None:
    last = Path((work_dir / "last_checkpoint").read_text())
    assert last.name == "epoch_2.pth" and not (work_dir / "epoch_3.pth").exists()
    weights = load_from_local(str(last), "cpu")["state_dict"].values()
    assert all(torch.isfinite(weight).all() for weight in weights)


def test_one_process(fault_config, start, tmp_path: Path) -> None:
    work_dir = tmp_path / "work"
    config = fault_config(hooks=[dict(type="SpoilClips", epoch=3, iteration=2)])
    code, output = start(config, work_dir).end()
    assert code == 1
    check_sentence(output.strip().splitlines()[-1], output)
    assert f"the last good checkpoint is {work_dir / 'epoch_2.pth'}" in output
    check_last_checkpoint(work_dir)


@pytest.mark.faults(full=True)
def test_one_of_two_ranks(fault_config, train_on_ranks, tmp_path: Path) -> None:
    hooks = [dict(type="SpoilClips", epoch=3, iteration=2, rank=1)]
    config = fault_config(hooks=hooks, train_dataloader__batch_size=2)
    work_dir = tmp_path / "work"
    ranks = train_on_ranks(2, config, work_dir)
    ends = [rank.end() for rank in ranks]  # no rank is left to wait for the other
    for code, said in ends:
        assert code == 1
        check_sentence(said, spoilt=ends[1][1], rank=" on rank 1 for ")
    check_last_checkpoint(work_dir)
