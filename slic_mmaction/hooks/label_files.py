"""Pseudo-labels on disk and in checkpoints, by the name of the video."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..datasets.label_store import NOISE


def save_labels(path: Path, labels: np.ndarray, videos: Sequence[str], epoch: int) -> None:
    """Write one clustering as ``.npz`` (``labels``, ``videos``, ``epoch``).

    The file appears whole or not at all.

    Args:
        path (Path): Where to.
        labels (np.ndarray): (N,) int64, -1 for noise.
        videos (Sequence[str]): N names.
        epoch (int): Epoch before which the videos were clustered.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "wb") as file:
        np.savez_compressed(file, labels=labels, videos=np.array(videos), epoch=epoch)
    os.replace(temporary, path)


def match_labels(
    labels: np.ndarray, old_videos: Sequence[str], videos: Sequence[str]
) -> tuple[np.ndarray, int]:
    """Carry labels over to a training set that may have changed.

    Args:
        labels (np.ndarray): (M,) labels of ``old_videos``.
        old_videos (Sequence[str]): M names.
        videos (Sequence[str]): N names of the present training set.

    Returns:
        tuple[np.ndarray, int]: (N,) int64 labels, -1 for a video that had none, and
        the number of such videos.
    """
    by_name = dict(zip(old_videos, labels.tolist()))
    matched = np.array([by_name.get(name, NOISE) for name in videos], dtype=np.int64)
    return matched, sum(name not in by_name for name in videos)
