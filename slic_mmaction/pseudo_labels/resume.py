"""Restoring a checkpoint's pseudo-labels in a resumed run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..datasets.label_store import NOISE
from ..datasets.videos import relative_path


class ResumedLabels(NamedTuple):
    """Pseudo-labels of a resumed run.

    Attributes:
        labels: (N,) int64, -1 for a video without one; None if the checkpoint has no usable ones.
        outdated: Whether the videos should be clustered before the first epoch.
        warnings: Warnings for the user, each a sentence.
    """

    labels: np.ndarray | None
    outdated: bool
    warnings: list[str]


def resumed_labels(
    saved: Mapping[str, Any], videos: Sequence[str], folder: str, recipe: str, once: bool
) -> ResumedLabels:
    """Match a checkpoint's pseudo-labels with the present videos, folder and clusterer.

    Args:
        saved: The checkpoint's ``labels`` with their ``videos``, ``folder`` and ``clusterer``;
            empty if it has none.
        videos: N paths of the present training set.
        folder: Folder of the present training set.
        recipe: Config of the present clusterer, as text.
        once: Whether clustering happens only once, so that new videos would get no label later.

    Raises:
        ValueError: If no video is the same.
    """
    if not saved:
        return ResumedLabels(None, True, ["The checkpoint has no pseudo-labels."])
    old_folder, old_videos = saved.get("folder", folder), saved["videos"]
    # Another folder with some of the same paths means that a dataset was added or removed.
    if old_folder == folder or not set(old_videos) & set(videos):
        old_videos = [relative_path(path, old_folder) for path in old_videos]
        videos = [relative_path(path, folder) for path in videos]
    labels, change = match_labels(saved["labels"].cpu().numpy(), old_videos, videos)
    warnings = [change] if change else []
    then = saved.get("clusterer", recipe)
    if then == recipe:
        return ResumedLabels(labels, bool(change) and once, warnings)
    warnings.append(
        f"The clusterer has changed since the checkpoint, from {then} to {recipe}: the "
        "checkpoint's pseudo-labels are dropped."
    )
    return ResumedLabels(None, True, warnings)


def match_labels(
    labels: np.ndarray, then: Sequence[str], now: Sequence[str]
) -> tuple[np.ndarray, str | None]:
    """Match labels by the paths of the videos, whatever their order.

    A path that is listed more than once keeps the order of its labels. Returns labels (N,) int64
    of the videos ``now``, -1 for a new video, and a sentence on the changes of the set, or None.

    Raises:
        ValueError: If no video is the same.
    """
    old, new = list(_numbered(then)), list(_numbered(now))
    by_video = dict(zip(old, labels.tolist()))
    present = set(new)
    added = [video for video in new if video not in by_video]
    removed = [video for video in old if video not in present]
    if len(added) == len(new):
        raise ValueError(
            f"None of the checkpoint's {len(old)} training videos (first: {then[0]}) is among the "
            f"present {len(new)} (first: {now[0]}): resume with the old training set, or start a "
            "new run from these weights with load_from instead of resume."
        )
    matched = np.array([by_video.get(video, NOISE) for video in new], dtype=np.int64)
    stayed = [video for video in old if video in present]
    changes = [
        f"{len(videos)} {what} (first: {videos[0][0]})"
        for what, videos in (("added", added), ("removed", removed))
        if videos
    ]
    if stayed != [video for video in new if video in by_video]:
        changes.append("another order")
    if not changes:
        return matched, None
    waiting = ", and a new video is its own positive until the next clustering" if added else ""
    return matched, (
        f"The training set has changed since the checkpoint: {', '.join(changes)}; "
        f"pseudo-labels follow the videos' paths{waiting}."
    )


def _numbered(paths: Sequence[str]) -> Iterable[tuple[str, int]]:
    seen: Counter[str] = Counter()
    for path in paths:
        yield path, seen[path]
        seen[path] += 1
