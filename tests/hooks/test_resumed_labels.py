"""What is taken over from a checkpoint's pseudo-labels."""

from __future__ import annotations

import pytest
import torch

from slic_mmaction.hooks.resumed_labels import resumed_labels

RECIPE = '{"type": "FINCH"}'


def saved() -> dict:
    return dict(
        labels=torch.tensor([4, 5, 4]),
        videos=["then/a.mp4", "then/b.mp4", "then/c.mp4"],
        folder="then",
        clusterer=RECIPE,
    )


def test_labels_follow_their_videos_into_another_folder() -> None:
    found = resumed_labels(
        saved(), ["now/a.mp4", "now/b.mp4", "now/c.mp4"], "now", RECIPE, once=True
    )
    assert found.labels is not None and found.labels.tolist() == [4, 5, 4]
    assert not found.outdated and not found.warnings


@pytest.mark.parametrize("once", (False, True))
def test_a_new_video_waits_for_the_next_clustering_if_there_is_one(once: bool) -> None:
    found = resumed_labels(saved(), ["now/c.mp4", "now/new.mp4"], "now", RECIPE, once)
    assert found.labels is not None and found.labels.tolist() == [4, -1]
    assert found.outdated == once
    (warning,) = found.warnings
    assert "1 added (first: new.mp4), 2 removed (first: a.mp4)" in warning


def test_labels_of_another_clusterer_are_dropped() -> None:
    videos = ["then/a.mp4", "then/b.mp4", "then/c.mp4"]
    found = resumed_labels(saved(), videos, "then", '{"type": "SphericalKMeans"}', once=False)
    assert found.labels is None and found.outdated
    assert "from " + RECIPE + " to " in found.warnings[0]


def test_a_checkpoint_without_labels() -> None:
    found = resumed_labels({}, ["a.mp4"], "", RECIPE, once=False)
    assert found.labels is None and found.outdated
    assert found.warnings == ["The checkpoint carries no pseudo-labels."]


def test_a_checkpoint_from_before_folder_and_clusterer_were_kept() -> None:
    old = {key: saved()[key] for key in ("labels", "videos")}
    found = resumed_labels(old, old["videos"], "then", RECIPE, once=False)
    assert found.labels is not None and found.labels.tolist() == [4, 5, 4]
