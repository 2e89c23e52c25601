from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.pseudo_labels.resume import match_labels, resumed_labels

RECIPE = '{"type": "FINCH"}'
SAVED = dict(
    labels=torch.tensor([4, 5, 4]),
    videos=["then/a.mp4", "then/b.mp4", "then/c.mp4"],
    folder="then",
    clusterer=RECIPE,
)
videos = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True)


@settings(deadline=None)
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
    labels, change = match_labels(np.array([5, 6, 7]), ["a", "b", "a"], ["a", "a", "b", "a"])
    assert labels.tolist() == [5, 7, 6, -1], "a path listed twice keeps both labels"
    assert change is not None and "1 added (first: a), another order" in change


@pytest.mark.parametrize("folder", ["now", "now/"])
def test_labels_follow_their_videos_into_another_folder(folder: str) -> None:
    paths = ["now/a.mp4", "now/b.mp4", "now/c.mp4"]
    found = resumed_labels(SAVED, paths, folder, RECIPE, once=True)
    assert found.labels is not None and found.labels.tolist() == [4, 5, 4]
    assert not found.outdated and not found.warnings
    # Of another folder whose name begins alike nothing is taken off.
    with pytest.raises(ValueError, match=r"first: nowhere/a\.mp4"):
        resumed_labels(SAVED, ["nowhere/a.mp4"], folder, RECIPE, once=True)


def test_labels_stay_where_another_dataset_joins() -> None:
    """The common folder is another one then."""
    videos = ["data/then/b.mp4", "data/other/b.mp4"]
    saved = dict(SAVED, videos=[f"data/{path}" for path in SAVED["videos"]], folder="data/then")
    found = resumed_labels(saved, videos, "data", RECIPE, once=False)
    assert found.labels is not None and found.labels.tolist() == [5, -1]


@pytest.mark.parametrize("once", [False, True])
def test_a_new_video_waits_for_the_next_clustering_if_there_is_one(once: bool) -> None:
    found = resumed_labels(SAVED, ["now/c.mp4", "now/new.mp4"], "now", RECIPE, once)
    assert found.labels is not None and found.labels.tolist() == [4, -1]
    assert found.outdated == once
    (warning,) = found.warnings
    assert "1 added (first: new.mp4), 2 removed (first: a.mp4)" in warning


def test_labels_of_another_clusterer_are_dropped() -> None:
    paths = SAVED["videos"]
    found = resumed_labels(SAVED, paths, "then", '{"type": "SphericalKMeans"}', once=False)
    assert found.labels is None and found.outdated
    assert f"from {RECIPE} to " in found.warnings[0]


def test_checkpoints_without_labels_folder_or_clusterer() -> None:
    found = resumed_labels({}, ["a.mp4"], "", RECIPE, once=False)
    assert found == (None, True, ["The checkpoint has no pseudo-labels."])
    old = {key: SAVED[key] for key in ("labels", "videos")}
    found = resumed_labels(old, old["videos"], "then", RECIPE, once=False)
    assert found.labels is not None and found.labels.tolist() == [4, 5, 4]
