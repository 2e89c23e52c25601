"""Videos as the linear probe sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import nll_loss, normalize

from .linear_sweep import SweepSettings, train_linear_sweep, video_probabilities


@dataclass(frozen=True)
class LabelledClips:
    """L2-normalised features of all clips of N videos, and the videos' classes.

    Attributes:
        clips: (M, D) float32.
        begins: (N + 1,) int64; the clips of video i are ``begins[i]`` up to ``begins[i + 1]``.
        labels: (N,) int64, on the device of ``clips``.
    """

    clips: Tensor
    begins: np.ndarray
    labels: Tensor

    @classmethod
    def normalized(
        cls, clips: Tensor, begins: np.ndarray, labels: np.ndarray, device: torch.device
    ) -> LabelledClips:
        """From features as the network gave them."""
        rows = normalize(clips.to(device), dim=1)
        return cls(rows, begins, torch.from_numpy(labels).to(device))

    def part(self, which: np.ndarray) -> LabelledClips:
        """The videos for which ``which`` (N,) bool is true."""
        counts = np.diff(self.begins)
        rows = torch.from_numpy(np.repeat(which, counts)).to(self.clips.device)
        begins = np.concatenate([[0], counts[which].cumsum()])
        chosen = torch.from_numpy(np.flatnonzero(which)).to(self.labels.device)
        return LabelledClips(self.clips[rows], begins, self.labels[chosen])

    def fit(self, num_classes: int, settings: SweepSettings) -> tuple[Tensor, Tensor]:
        """Weights (S, D, C) and biases (S, C), see :func:`train_linear_sweep`."""
        return train_linear_sweep(self.clips, self.begins, self.labels, num_classes, settings)

    def probabilities(self, weights: Tensor, bias: Tensor) -> Tensor:
        """(N, C), see :func:`video_probabilities`."""
        return video_probabilities(self.clips, self.begins, weights, bias)

    def cross_entropy(self, probabilities: Tensor) -> float:
        """Mean over the videos; not finite for a classifier that diverged."""
        return float(nll_loss(probabilities.clamp(min=1e-12).log(), self.labels))
