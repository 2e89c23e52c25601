"""Pseudo-labels on disk, by the name of the video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..durable_file import durable_file


def save_labels(path: Path, labels: np.ndarray, videos: Sequence[str], epoch: int) -> None:
    """Write one clustering as ``.npz`` (``labels``, ``videos``, ``epoch``).

    Args:
        path (Path): Where to.
        labels (np.ndarray): (N,) int64, -1 for noise.
        videos (Sequence[str]): N names.
        epoch (int): Epoch before which the videos were clustered.

    Raises:
        OSError: If the file cannot be written; it appears whole or not at all.
    """
    with durable_file(path) as file:
        np.savez_compressed(file, labels=labels, videos=np.array(videos), epoch=epoch)
