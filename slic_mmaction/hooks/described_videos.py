"""Descriptors of a training set's videos, in its order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..datasets.cluster_aware_dataset import ClusterAwareDataset
from ..datasets.descriptor_file import rows_of
from ..datasets.videos import data_folder, video_stem
from .label_matching import below


def described_videos(path: str, dataset: ClusterAwareDataset) -> tuple[Tensor, np.ndarray]:
    """Read a descriptor file for a training set.

    Args:
        path (str): See :func:`~slic_mmaction.datasets.descriptor_file.read_descriptors`.
        dataset (ClusterAwareDataset): Its N videos; as many may lack a descriptor as may be bad.

    Returns:
        tuple[Tensor, np.ndarray]: (N, D) float32, and which videos have a row, (N,) bool.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is wrong, or has too few of the videos.
    """
    stems = (video_stem(dataset.videos, index) for index in range(len(dataset)))
    names = below(data_folder(dataset.videos), stems)
    rows, has = rows_of(Path(path), names, dataset.bad_videos.max_ratio)
    return torch.from_numpy(rows), has
