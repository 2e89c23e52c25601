"""One of two CPU ranks dies, freezes or holds other labels: the other stops and says why."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..conftest import PATIENCE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# How long a rank waits for one that is frozen, and so may lag behind: the fork server starts both
# at once, so even a machine in which everything takes ten times as long needs a few seconds. No
# other test has a timeout but PyTorch's half an hour.
FROZEN = 20

pytestmark = pytest.mark.faults


@pytest.fixture
def failing(fault_config: Callable[..., Path]) -> Callable[..., Path]:
    """``failing(rank, fault, place, nth)``: the config of a run in which that happens."""

    def make(**fault: object) -> Path:
        waits = dict(env_cfg__dist_cfg__timeout=FROZEN) if fault["fault"] == "SIGSTOP" else {}
        return fault_config(
            hooks=[dict(type="FailingRank", **fault)],
            custom_imports__imports=["slic_mmaction", "killing", "rank_faults"],
            **waits,
        )

    return make


@pytest.mark.parametrize(
    ("place", "rank", "nth"),
    [
        ("training", 1, 4),
        pytest.param("searching", 1, 1, marks=pytest.mark.faults(full=True)),
        pytest.param("leading", 0, 2, marks=pytest.mark.faults(full=True)),
    ],
)
def test_killed_rank_ends_the_run(
    failing: Callable[..., Path],
    tmp_path: Path,
    place: str,
    rank: int,
    nth: int,
) -> None:
    config = failing(rank=rank, fault="SIGKILL", place=place, nth=nth)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    command = ["bash", ROOT / "tools" / "dist_train.sh", config, "2", "--work-dir", tmp_path]
    # Where a config's custom_imports finds rank_faults.py; and this Python for the script.
    paths = os.pathsep.join([str(ROOT), str(HERE)])
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    names = dict(OMP_NUM_THREADS="1", PYTHONPATH=paths, PATH=programs, PORT=port)
    output = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    run = subprocess.run(command, env={**os.environ, **names}, **output, timeout=PATIENCE)
    assert run.returncode != 0
    assert f"RANK {rank} IS STRUCK" in run.stdout, run.stdout[-3000:]
    assert f"rank      : {rank} (local_rank: {rank})" in run.stdout
    assert "Signal 9 (SIGKILL) received" in run.stdout


@pytest.mark.parametrize(
    ("fault", "place", "rank", "message"),
    [
        ("SIGKILL", "training", 1, "closed its connection"),
        pytest.param(
            "SIGSTOP", "training", 1, "did not answer within", marks=pytest.mark.faults(full=True)
        ),
        pytest.param(
            "SIGSTOP", "embedding", 0, "did not answer within", marks=pytest.mark.faults(full=True)
        ),
        pytest.param(
            "SIGSTOP", "searching", 1, "did not answer within", marks=pytest.mark.faults(full=True)
        ),
        ("SIGSTOP", "leading", 0, "did not answer within"),
    ],
)
def test_the_other_machine_stops_by_itself(
    failing: Callable[..., Path],
    train_on_ranks: Callable[..., list[Any]],
    tmp_path: Path,
    fault: str,
    place: str,
    rank: int,
    message: str,
) -> None:
    ranks = train_on_ranks(2, failing(rank=rank, fault=fault, place=place, nth=2), tmp_path)
    code, said = ranks[1 - rank].end()
    ranks[rank].kill()
    assert f"RANK {rank} IS STRUCK" in ranks[rank].end()[1]
    assert code == 1, said[-3000:]
    assert f"LostRankError: Rank {1 - rank} stops because another rank {message}" in said
    assert "continue with --resume" in said


def test_other_labels_on_one_rank_are_an_error_that_names_it(
    failing: Callable[..., Path], train_on_ranks: Callable[..., list[Any]], tmp_path: Path
) -> None:
    for rank in train_on_ranks(2, failing(rank=1, fault="other labels"), tmp_path):
        code, said = rank.end()
        message = "Pseudo-labels differ after the clustering before epoch 1: rank 1 ("
        assert code == 1 and message in said, said[-3000:]
