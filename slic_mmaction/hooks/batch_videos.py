"""Which videos a training batch was made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader

from ..datasets.cluster_aware_dataset import ClusterAwareDataset
from ..datasets.videos import video_name


def batch_videos(loader: DataLoader, batch: dict[str, Any], batch_idx: int) -> list[str]:
    """Paths of the videos in a batch, each once, in the order of the batch.

    Args:
        loader (DataLoader): That the batch came from, in the epoch of the batch.
        batch (dict[str, Any]): ``inputs`` and ``data_samples``, as the loader gave it.
        batch_idx (int): 0-based number of the batch in its epoch on this rank.

    Returns:
        list[str]: The paths; none if neither the samples nor the order of the sampler tell.
    """
    dataset = loader.dataset
    indices: Sequence[int]
    if isinstance(dataset, ClusterAwareDataset):
        # Says more than the order: positives, and who took an unreadable video's place.
        indices = [i for s in batch["data_samples"] for i in s.video_indices.tolist()]
        dataset = dataset.videos
    elif isinstance(loader.sampler, DefaultSampler) and hasattr(dataset, "get_data_info"):
        # Stock samples do not tell their video, but this order can be drawn a second time.
        assert loader.batch_sampler is not None  # a loader with a sampler has one
        indices = list(loader.batch_sampler)[batch_idx]
    else:
        return []
    return list(dict.fromkeys(video_name(dataset, index) for index in indices))
