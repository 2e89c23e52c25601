from __future__ import annotations

import io

import pytest
from rich.console import Console

from slic_mmaction.progress import show_progress, track


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100)


def test_without_a_display_the_iterable_itself_comes_back():
    blocks = [1, 2, 3]
    assert track(blocks, 3, "searching") is blocks


def test_display_shows_what_is_tracked_and_hands_every_item_on():
    console = terminal()
    with show_progress("FINCH of 9 x 2", console):
        assert list(track(iter("abc"), 3, "searching")) == ["a", "b", "c"]
        for _ in track(range(2), 2, "level"):
            # One inside the other, as a search inside a level.
            assert sum(track(range(5), 5, "blocks")) == 10
    drawn = console.file.getvalue()
    for word in ("FINCH of 9 x 2", "searching", "level", "blocks", "0:00:0"):
        assert word in drawn


def test_display_ends_with_its_block():
    blocks = [1]
    with pytest.raises(RuntimeError, match="broken"), show_progress("title", terminal()):
        assert track(blocks, 1, "x") is not blocks
        raise RuntimeError("broken")
    assert track(blocks, 1, "x") is blocks


def test_a_search_that_stops_early_leaves_the_display_usable():
    with show_progress("title", terminal()):
        for item in track(range(9), 9, "first"):
            if item == 3:
                break
        assert list(track(range(2), 2, "second")) == [0, 1]
