"""Carrying pseudo-labels over to a training set that may have changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..datasets.label_store import NOISE


class MatchedLabels(NamedTuple):
    """Labels of the present training set.

    Attributes:
        labels: (N,) int64, -1 for a video that had none.
        change: One sentence on how the set has changed; None if it has not.
    """

    labels: np.ndarray
    change: str | None


def match_labels(labels: np.ndarray, then: Sequence[str], now: Sequence[str]) -> MatchedLabels:
    """Give every video the label that its path had, wherever in the list it was.

    A path that is listed more than once keeps its labels in their order.

    Args:
        labels (np.ndarray): (M,) labels of the videos ``then``.
        then (Sequence[str]): M paths; see :func:`below`.
        now (Sequence[str]): N paths of the present training set.

    Raises:
        ValueError: If no video has stayed.
    """
    old, new = list(_numbered(then)), list(_numbered(now))
    by_video = dict(zip(old, labels.tolist()))
    present = set(new)
    added = [video for video in new if video not in by_video]
    removed = [video for video in old if video not in present]
    if len(added) == len(new):
        raise ValueError(
            f"None of the checkpoint's {len(old)} training videos (first: {then[0]}) is among the "
            f"present {len(new)} (first: {now[0]}): resume with the old training set, or start "
            "another run from these weights with load_from instead of resume."
        )
    matched = np.array([by_video.get(video, NOISE) for video in new], dtype=np.int64)
    stayed = [video for video in old if video in present]
    reordered = stayed != [video for video in new if video in by_video]
    return MatchedLabels(matched, _change(added, removed, reordered))


def below(root: str, paths: Iterable[str]) -> list[str]:
    """Paths as seen from the data set's folder, which may lie elsewhere the next time."""
    root = root.rstrip("/") + "/" if root else ""
    return [path[len(root) :] if path.startswith(root) else path for path in paths]


def _numbered(paths: Sequence[str]) -> Iterable[tuple[str, int]]:
    seen: Counter[str] = Counter()
    for path in paths:
        yield path, seen[path]
        seen[path] += 1


def _change(added: list, removed: list, reordered: bool) -> str | None:
    parts = [
        f"{len(videos)} {what} (first: {videos[0][0]})"
        for what, videos in (("added", added), ("removed", removed))
        if videos
    ]
    if reordered:
        parts.append("another order")
    if not parts:
        return None
    sentence = f"The training set has changed since the checkpoint: {', '.join(parts)}; "
    sentence += "pseudo-labels follow the videos' paths"
    if added:
        sentence += ", and a new video is its own positive until the next clustering"
    return f"{sentence}."
