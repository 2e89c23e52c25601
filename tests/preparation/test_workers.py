"""The function is ``eval``: it has a name in every process, and its items do anything."""

from __future__ import annotations

import functools

import pytest

from slic_mmaction.preparation.workers import Failure, run_isolated

CRASH = "__import__('signal').raise_signal(11)"
EXIT = "__import__('os')._exit(3)"
HANG = "__import__('time').sleep(100)"


def run(items: list[str], workers: int = 2, timeout: float = 60.0) -> dict:
    return dict(run_isolated(eval, items, workers, timeout))


def test_crash_and_exit_are_blamed_on_their_item_alone() -> None:
    items = ["1 + 1", CRASH, "2 + 2", EXIT, "3 + 3", "4 + 4"]
    outcomes = run(items)
    assert [outcomes[i] for i in items if "+" in i] == [2, 4, 6, 8]
    assert "SIGSEGV" in outcomes[CRASH].reason and "exit code 3" in outcomes[EXIT].reason
    assert not outcomes[CRASH].transient and outcomes[CRASH].waited is None


def test_hanging_item_is_given_up_and_the_rest_is_done() -> None:
    outcomes = run(["1", HANG, "2", "3"], workers=1, timeout=1.0)
    assert outcomes == {
        "1": 1, HANG: Failure("took longer than 1 s", waited=1.0), "2": 2, "3": 3,
    }  # fmt: skip


def test_exceptions_come_back_as_failures() -> None:
    outcomes = run(["open('/no/such/file')", "int('x')", "1 // 0"])
    missing, wrong, other = outcomes.values()
    by_item = {item: outcomes[item] for item in outcomes}
    assert by_item["open('/no/such/file')"].transient
    assert by_item["int('x')"].reason.startswith("invalid literal")
    assert by_item["1 // 0"].reason.startswith("ZeroDivisionError")
    assert {missing.waited, wrong.waited, other.waited} == {None}


def test_no_item_and_fewer_items_than_workers() -> None:
    assert run([]) == {}
    assert run(["7"], workers=3) == {"7": 7}


def test_results_are_not_mixed_up() -> None:
    double = functools.partial(pow, 2)
    assert dict(run_isolated(double, range(50), 2, 60.0)) == {i: 2**i for i in range(50)}


def test_stopping_early_leaves_no_process_behind() -> None:
    import multiprocessing

    outcomes = run_isolated(eval, ["1", HANG, HANG], 2, 60.0)
    assert next(outcomes) == ("1", 1)
    outcomes.close()
    assert multiprocessing.active_children() == []


def test_function_that_no_process_can_import_is_no_fault_of_an_item() -> None:
    with pytest.raises((RuntimeError, AttributeError, OSError), match=r"lambda|started"):
        list(run_isolated(lambda x: x, ["1"], 1, 60.0))
