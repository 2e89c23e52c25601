"""Descriptors of a dataset's videos, in its order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from ..datasets.descriptor_file import rows_of
from ..datasets.videos import data_folder, video_stem
from .label_matching import below


def described_videos(
    path: str | Path, videos: BaseDataset, max_missing: float
) -> tuple[Tensor, np.ndarray]:
    """Read a descriptor file for a list of videos.

    Args:
        path (str | Path): See :func:`~slic_mmaction.datasets.descriptor_file.read_descriptors`.
        videos (BaseDataset): N videos.
        max_missing (float): Share of them that may have no descriptor.

    Returns:
        tuple[Tensor, np.ndarray]: (N, D) float32, and which videos have a row, (N,) bool.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is wrong, or has too few of the videos.
    """
    stems = (video_stem(videos, index) for index in range(len(videos)))
    rows, has = rows_of(Path(path), below(data_folder(videos), stems), max_missing)
    return torch.from_numpy(rows), has
