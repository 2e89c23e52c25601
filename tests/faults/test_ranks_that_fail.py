"""One of two CPU ranks dies, freezes or holds other labels: the other stops and says why."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Longer than a busy machine needs to start the second process once the first has started.
TIMEOUT = 20

pytestmark = pytest.mark.faults


def environment(**more: object) -> dict[str, str]:
    env = dict(
        os.environ,
        OMP_NUM_THREADS="1",
        # Where a config's custom_imports finds rank_faults.py; and this Python for the script.
        PYTHONPATH=os.pathsep.join([str(ROOT), str(HERE)]),
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    )
    return {**env, **{name: str(value) for name, value in more.items()}}


@pytest.fixture
def failing(fault_config: Callable[..., Path]) -> Callable[..., Path]:
    """``failing(rank, fault, place, nth)``: the config of a run in which that happens."""

    def make(**fault: object) -> Path:
        return fault_config(
            hooks=[dict(type="FailingRank", **fault)],
            custom_imports__imports=["slic_mmaction", "killing", "rank_faults"],
            env_cfg__dist_cfg__timeout=TIMEOUT,
        )

    return make


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Rank:
    """Rank r of two, each alone on its machine: nobody ends it because the other has ended."""

    def __init__(self, r: int, config: Path, work: Path, port: int) -> None:
        command = [sys.executable, str(ROOT / "tools" / "train.py"), str(config)]
        command += ["--launcher", "pytorch", "--work-dir", str(work)]
        address = dict(MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        self._log = work / f"rank_{r}.txt"
        with open(self._log, "w") as log:
            self.process = subprocess.Popen(
                command,
                env=environment(RANK=r, LOCAL_RANK=0, WORLD_SIZE=2, **address),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self._log.read_text()


@pytest.fixture
def two_machines(tmp_path: Path) -> Iterator[Callable[[Path], list[Rank]]]:
    started: list[Rank] = []

    def start(config: Path) -> list[Rank]:
        port = free_port()
        started.extend(Rank(r, config, tmp_path, port) for r in range(2))
        return started

    yield start
    for rank in started:
        rank.process.kill()
        rank.process.wait()


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
    command = ["bash", str(ROOT / "tools" / "dist_train.sh"), str(config), "2"]
    run = subprocess.run(
        [*command, "--work-dir", str(tmp_path)],
        env=environment(PORT=free_port()),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
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
    two_machines: Callable[[Path], list[Rank]],
    fault: str,
    place: str,
    rank: int,
    message: str,
) -> None:
    ranks = two_machines(failing(rank=rank, fault=fault, place=place, nth=2))
    other = ranks[1 - rank]
    code = other.process.wait(timeout=240)
    assert f"RANK {rank} IS STRUCK" in ranks[rank].said()
    assert code == 1, other.said()[-3000:]
    assert f"LostRankError: Rank {1 - rank} stops because another rank {message}" in other.said()
    assert "continue with --resume" in other.said()


def test_other_labels_on_one_rank_are_an_error_that_names_it(
    failing: Callable[..., Path],
    two_machines: Callable[[Path], list[Rank]],
) -> None:
    for rank in two_machines(failing(rank=1, fault="other labels")):
        assert rank.process.wait(timeout=240) == 1
        said = rank.said()
        message = "Pseudo-labels differ after the clustering before epoch 1: rank 1 ("
        assert message in said, said[-3000:]
