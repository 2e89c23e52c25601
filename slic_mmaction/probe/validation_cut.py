"""Training videos set aside to choose settings by, so that the test set is not touched."""

from __future__ import annotations

import os.path as osp
import re
from collections.abc import Sequence

import numpy as np


def video_groups(videos: Sequence[str], pattern: str | None) -> np.ndarray:
    """Which videos come from one source, by their file names.

    Clips of one UCF101 group (``gXX``) are cut from the same recording: a cut through a group
    would measure memory.

    Args:
        videos (Sequence[str]): N paths.
        pattern (str, optional): Regular expression; videos are of one group where it matches
            the same text of the file name. None makes every video a group of its own.

    Returns:
        np.ndarray: (N,) int64.

    Raises:
        ValueError: If a video does not match.
    """
    if pattern is None:
        return np.arange(len(videos))
    keys = []
    for video in videos:
        found = re.search(pattern, osp.basename(video))
        if found is None:
            raise ValueError(
                f"The group_pattern {pattern!r} does not match the video {video}: write one that "
                "does, or set it to None if no two videos come from the same recording."
            )
        keys.append(found.group())
    return np.unique(keys, return_inverse=True)[1]


def check_pattern(pattern: str | None) -> None:
    """Refuse a ``group_pattern`` that is no regular expression.

    Raises:
        ValueError: With the reason.
    """
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise ValueError(
            f"The group_pattern {pattern!r} is no regular expression ({error}): correct it."
        ) from error


def validation_cut(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw whole groups of every class for validation; each class keeps a group for training.

    Args:
        labels (np.ndarray): (N,) int classes.
        groups (np.ndarray): (N,) int groups. One that spans classes counts to that of its
            first video.
        share (float): Part of each class's groups, within 0..1; at least one group.
        seed (int): Of the draw.

    Returns:
        np.ndarray: (N,) bool, true for validation.

    Raises:
        ValueError: If no class has two groups.
    """
    rng = np.random.default_rng(seed)
    numbers, first = np.unique(groups, return_index=True)
    homes = labels[first]
    drawn = []
    for label in np.unique(homes):
        own = rng.permutation(numbers[homes == label])
        count = min(len(own) - 1, max(1, round(share * len(own))))
        drawn.append(own[:count])
    cut = np.isin(groups, np.concatenate(drawn))
    if not cut.any():
        raise ValueError(
            "No class of the training videos has two groups, so none can be set aside for "
            "validation: check group_pattern."
        )
    return cut
