"""The pseudo-labels of a training set, shared by the main process and all loader workers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

NOISE = -1


class PseudoLabelStore:
    """Pseudo-labels, clusters, seed and epoch of a run, in shared memory.

    A loader worker has its own copy of the dataset, so an attribute that the main process sets
    later never reaches a persistent worker (mmselfsup's DeepCluster trained on old labels for
    this reason). Tensors in shared memory are updated in place, which all processes see. Before
    the first clustering, every video is a cluster of its own.

    The main process writes between epochs, when no worker reads.

    Args:
        num_videos: Number of videos N, at least 1.

    Raises:
        ValueError: If the number of videos is 0.

    Examples:
        >>> from slic_mmaction.datasets import PseudoLabelStore
        >>> store = PseudoLabelStore(num_videos=4)
        >>> store.update([0, 0, 1, -1])  # videos 0 and 1 are a cluster, video 3 is noise
        >>> [store.draw_positive(video) for video in range(4)]
        [1, 0, 2, 3]
    """

    def __init__(self, num_videos: int) -> None:
        if num_videos < 1:
            raise ValueError(
                "A pseudo-label store needs at least one video: the training set is empty."
            )
        # Rows: label; videos ordered by label; and for each video its place in that order, the
        # first place of its cluster and the size of its cluster.
        self._table = torch.empty(5, num_videos, dtype=torch.int64).share_memory_()
        self._clock = torch.zeros(2, dtype=torch.int64).share_memory_()
        self.update(np.arange(num_videos))

    def __len__(self) -> int:
        return self._table.shape[1]

    @property
    def labels(self) -> Tensor:
        """Cluster of each video (N,) int64, or -1 for noise."""
        return self._table[0]

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self._clock[0])

    @property
    def epoch(self) -> int:
        """Current epoch, 0-based."""
        return int(self._clock[1])

    def start_epoch(self, seed: int, epoch: int) -> None:
        """Set the seed and the epoch, on which all draws depend."""
        self._clock[0], self._clock[1] = seed, epoch

    def update(self, labels: np.ndarray | Tensor | Sequence[int]) -> None:
        """Replace all pseudo-labels.

        Args:
            labels: (N,) integers, -1 for noise.

        Raises:
            ValueError: If the shape or type is wrong, or a label is below -1.
        """
        new = np.asarray(labels)
        if new.shape != (len(self),) or not np.issubdtype(new.dtype, np.integer):
            raise ValueError(
                f"Pseudo-labels must be {len(self)} integers, one for each training video, "
                f"but have shape {new.shape} and type {new.dtype}."
            )
        if new.min() < NOISE:
            raise ValueError(f"Pseudo-labels must be -1 (noise) or more, but one is {new.min()}.")
        order = np.argsort(new, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(new))
        _, cluster, size = np.unique(new, return_inverse=True, return_counts=True)
        first = np.concatenate([[0], np.cumsum(size)[:-1]])
        rows = np.stack([new, order, place, first[cluster], size[cluster]])
        self._table.copy_(torch.from_numpy(rows.astype(np.int64)))

    def draw_positive(self, index: int) -> int:
        """Draw another video of the same cluster, uniformly.

        Returns:
            The index of that video, or ``index`` if the video is alone in its cluster or noise.
        """
        label, _, place, first, size = self._table[:, index].tolist()
        if label == NOISE or size == 1:
            return index
        other = first + int(np.random.randint(size - 1))
        return int(self._table[1, other + (other >= place)])
