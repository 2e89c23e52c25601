from __future__ import annotations

import io

import pytest
from rich.console import Console

from slic_mmaction import progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "_console", console)
    return drawn


def test_steps_are_handed_on_and_shown_only_where_a_program_asks(terminal: io.StringIO) -> None:
    assert list(progress.track("ab", 2, "unseen")) == ["a", "b"]
    with pytest.raises(RuntimeError, match="broken"), progress.show_progress("FINCH of 9 x 2"):
        assert list(progress.track(iter("abc"), 3, "searching")) == ["a", "b", "c"]
        for _ in progress.track(range(2), 2, "level"):
            # One inside the other, as a search inside a level; one that stops early.
            assert sum(progress.track(range(5), 5, "blocks")) == 10
            assert next(iter(progress.track(range(9), 9, "first"))) == 0
        raise RuntimeError("broken")
    assert list(progress.track("ab", 2, "unseen")) == ["a", "b"]
    assert "unseen" not in terminal.getvalue()
    assert "\x1b[1A" in terminal.getvalue()  # bars below each other, not over each other
    for word in ("FINCH of 9 x 2", "searching", "level", "blocks", "0:00:0"):
        assert word in terminal.getvalue()


def test_lines_where_output_is_piped(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with progress.progress_bar("probing", 2) as advance:
        advance()
        advance()
    with progress.progress_bar("unpacking x.rar", None):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == [
        "probing: 1 of 2",
        "probing: 2 of 2",
        "unpacking x.rar ...",
    ]


def test_durations_for_people() -> None:
    said = [progress.duration(seconds) for seconds in (0.44, 9.9, 90, 150, 3600, 7300)]
    assert said == ["0.4 s", "9.9 s", "90 s", "2 min", "60 min", "2 h 2 min"]
