"""Embeddings of stored backbone features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..models.slic_head import SLICHead
from .feature_set import FeatureSet

# Videos that are projected at once.
_BLOCK = 4096


@dataclass(frozen=True)
class ProjectedClips:
    """What a head makes of features, so that one cache serves both.

    Attributes:
        features: Of the backbone.
        head: In evaluation mode.
    """

    features: FeatureSet
    head: SLICHead

    def clips(self) -> tuple[Tensor, np.ndarray]:
        """(M, D) float32 of all clips, and (N + 1,) int64 where each video begins."""
        rows = torch.cat([rows for rows, _ in self._blocks()])
        return rows, np.concatenate([[0], self.features.num_clips.cumsum()])

    def means(self) -> Tensor:
        """(N, D) float32, the plain mean over the clips of each video."""
        return torch.cat(
            [
                torch.stack([part.mean(dim=0) for part in rows.split(counts)])
                for rows, counts in self._blocks()
            ]
        )

    @torch.no_grad()
    def _blocks(self) -> Iterator[tuple[Tensor, list[int]]]:
        device = next(self.head.parameters()).device
        for start in range(0, len(self.features), _BLOCK):
            videos = range(start, min(start + _BLOCK, len(self.features)))
            rows = torch.from_numpy(np.concatenate([self.features[video] for video in videos]))
            # Without the head's pooling: stored rows are clips, of a 2D network as well.
            projected = self.head.projection(rows.to(device)).float().cpu()
            yield projected, self.features.num_clips[videos].tolist()
