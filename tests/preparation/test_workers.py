"""The function is ``eval``: it has a name in every process, and its items do anything."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slic_mmaction.preparation.workers import Failure, run_isolated, starting_workers

CRASH = "__import__('signal').raise_signal(11)"
KILLED = "__import__('signal').raise_signal(9)"
EXIT = "__import__('os')._exit(3)"
HANG = "__import__('time').sleep(1000)"


def test_a_failure_is_its_items_alone() -> None:
    items = ["1 + 1", CRASH, "2 + 2", EXIT, KILLED, "open('/no')", "int('x')", "1 // 0", "3 + 3"]
    outcomes = dict(run_isolated(eval, items, 2, 600.0))
    assert [outcomes[item] for item in items if "+" in item] == [2, 4, 6]
    worked_on = "the process that worked on it"
    assert outcomes[CRASH] == Failure(f"crashed {worked_on} (SIGSEGV)")
    assert outcomes[EXIT] == Failure(f"crashed {worked_on} (exit code 3)")
    ended = Failure(f"{worked_on} was ended (SIGKILL, out of memory?)", transient=True)
    assert outcomes[KILLED] == ended
    assert outcomes["open('/no')"].transient and "'/no'" in outcomes["open('/no')"].reason
    assert outcomes["int('x')"].reason.startswith("invalid literal")
    assert outcomes["1 // 0"].reason.startswith("ZeroDivisionError: ")


def test_hanging_item_is_given_up_and_the_rest_is_done() -> None:
    outcomes = dict(run_isolated(eval, ["1", HANG, "2", "3"], 1, 2.0))
    late = Failure("took longer than 2 s", transient=True)
    assert outcomes == {"1": 1, HANG: late, "2": 2, "3": 3}


def test_many_none_and_stopping_early() -> None:
    assert list(run_isolated(eval, [], 3, 600.0)) == []
    items = [f"2 ** {i}" for i in range(50)]
    assert dict(run_isolated(eval, items, 3, 600.0)) == {f"2 ** {i}": 2**i for i in range(50)}
    outcomes = run_isolated(eval, ["1", HANG, HANG + " "], 2, 600.0)
    assert next(outcomes) == ("1", 1)
    outcomes.close()
    assert multiprocessing.active_children() == []


PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
sys.argv[0] = "slic"  # which imports quickly
from slic_mmaction.preparation.workers import run_isolated
try:
    list(run_isolated(eval, sys.argv[1:], 2, 600.0))
except KeyboardInterrupt:
    print("stopped")
"""


def server_runs(process: int) -> bool:
    """Whether a child's Python is the server's, and has come so far as to heed Ctrl-C."""
    for number in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        child = Path("/proc", number)
        status = dict(line.split(":", 1) for line in (child / "status").read_text().splitlines())
        if b"forkserver" in (child / "cmdline").read_bytes():
            return int(status["SigCgt"], 16) >> (signal.SIGINT - 1) & 1 == 1
    return False


@pytest.mark.parametrize("moment", ["the server imports modules", "workers work"])
def test_ctrl_c_reaches_the_main_process_alone(moment: str, tmp_path: Path) -> None:
    """Else the others print tracebacks."""
    begun = tmp_path / "begun"
    items = [f"open({str(begun)!r}, 'w').close() or {HANG}", HANG]
    root = Path(__file__).parents[2]
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *items],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(os.environ, PYTHONPATH=str(root)),
        start_new_session=True,
        text=True,
    )
    while program.poll() is None and not (
        begun.exists() if moment == "workers work" else server_runs(program.pid)
    ):
        time.sleep(0.01)
    os.killpg(program.pid, signal.SIGINT)
    assert program.communicate(timeout=600)[0] == "stopped\n"


def test_ctrl_c_waits_until_workers_have_started() -> None:
    steps = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), starting_workers():
            signal.raise_signal(signal.SIGINT)
            steps.append("all of them")
        assert steps and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
