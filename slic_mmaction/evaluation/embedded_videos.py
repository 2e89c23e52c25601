"""Videos as an evaluation sees them: name, class and the embeddings of their clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor


class ClipEmbeddings(Protocol):
    """The embeddings of all clips of N videos, in memory or in files."""

    def means(self) -> Tensor:
        """(N, D) float32, the plain mean over the clips of each video."""

    def clips(self) -> tuple[Tensor, np.ndarray]:
        """(M, D) float32 embeddings of all clips, and (N + 1,) int64 where each video begins."""


@dataclass(frozen=True)
class OneEmbeddingEach:
    """One embedding for each video, already averaged over its clips.

    Attributes:
        rows: (N, D) float32.
    """

    rows: Tensor

    def means(self) -> Tensor:
        """(N, D) float32."""
        return self.rows

    def clips(self) -> tuple[Tensor, np.ndarray]:
        """The embeddings as those of one clip for each video."""
        return self.rows, np.arange(len(self.rows) + 1)


@dataclass(frozen=True)
class EmbeddedVideos:
    """Queries or gallery.

    Attributes:
        videos: (N,) str, paths.
        labels: (N,) int64 classes.
        embeddings: Of their clips.
    """

    videos: np.ndarray
    labels: np.ndarray
    embeddings: ClipEmbeddings

    def __len__(self) -> int:
        return len(self.videos)
