from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.hooks.label_matching import below, match_labels

videos = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True)


@settings(deadline=None, max_examples=200)
@given(videos, videos)
def test_labels_follow_the_path_and_every_difference_is_named(then: list, now: list) -> None:
    labels = np.arange(10, 10 + len(then))
    if not set(then) & set(now):
        with pytest.raises(ValueError, match=r"^None of the checkpoint's \d+ training videos"):
            match_labels(labels, then, now)
        return
    matched, change = match_labels(labels, then, now)
    assert matched.tolist() == [10 + then.index(v) if v in then else -1 for v in now]
    assert (change is None) == (then == now)
    if change:
        added, removed = set(now) - set(then), set(then) - set(now)
        assert (f"{len(added)} added" in change) == bool(added)
        assert (f"{len(removed)} removed" in change) == bool(removed)
        stayed = [[v for v in side if v in set(then) & set(now)] for side in (then, now)]
        assert ("another order" in change) == (stayed[0] != stayed[1])


def test_the_sentence() -> None:
    _, change = match_labels(np.arange(3), ["a", "b", "c"], ["c", "new", "a"])
    assert change == (
        "The training set has changed since the checkpoint: 1 added (first: new), 1 removed "
        "(first: b), another order; pseudo-labels follow the videos' paths, and a new video is "
        "its own positive until the next clustering."
    )


def test_a_path_listed_twice_keeps_both_labels() -> None:
    labels, change = match_labels(np.array([5, 6, 7]), ["a", "b", "a"], ["a", "a", "b", "a"])
    assert labels.tolist() == [5, 7, 6, -1]
    assert "1 added (first: a), another order" in change


@pytest.mark.parametrize("root", ["/data", "/data/"])
def test_paths_below_the_folder_of_the_data_set(root: str) -> None:
    paths = ["/data/x/a.mp4", "/elsewhere/b.mp4", "/database/c.mp4"]
    assert below(root, paths) == ["x/a.mp4", "/elsewhere/b.mp4", "/database/c.mp4"]
    assert below("", paths) == paths
