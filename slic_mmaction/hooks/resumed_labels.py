"""What of a checkpoint's pseudo-labels a resumed run goes on with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .label_matching import below, match_labels


class ResumedLabels(NamedTuple):
    """What a resumed run goes on with.

    Attributes:
        labels: (N,) int64, -1 for a video without one; None where there are none to go on with.
        outdated: Whether the videos should be clustered before the first epoch, due or not.
        warnings: What the user should know, a sentence each.
    """

    labels: np.ndarray | None
    outdated: bool
    warnings: list[str]


def resumed_labels(
    saved: Mapping[str, Any], videos: Sequence[str], folder: str, recipe: str, once: bool
) -> ResumedLabels:
    """Compare what a checkpoint holds with the present training set and clusterer.

    Args:
        saved (Mapping): The checkpoint's entry: ``labels``, and the ``videos``,
            ``folder`` and ``clusterer`` they belong to; empty if it has none.
        videos (Sequence[str]): N paths of the present training set.
        folder (str): The data set's folder, which may have been another.
        recipe (str): The present clusterer, as text.
        once (bool): Whether clustering is done once, so that a new video waits in vain.

    Raises:
        ValueError: If no video has stayed.
    """
    if not saved:
        return ResumedLabels(None, True, ["The checkpoint carries no pseudo-labels."])
    labels, change = match_labels(
        saved["labels"].cpu().numpy(),
        below(saved.get("folder", folder), saved["videos"]),
        below(folder, videos),
    )
    warnings = [change] if change else []
    then = saved.get("clusterer", recipe)
    if then == recipe:
        return ResumedLabels(labels, bool(change) and once, warnings)
    warnings.append(
        f"The clusterer has changed since the checkpoint, from {then} to {recipe}: the "
        "checkpoint's pseudo-labels are dropped."
    )
    return ResumedLabels(None, True, warnings)
