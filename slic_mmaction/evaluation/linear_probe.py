"""Training linear classifiers of all settings of a sweep at once, and splitting off validation."""

from __future__ import annotations

import math
import os.path as osp
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot, softmax

from ..nearest import search_device
from .feature_set import FeatureSet


@dataclass(frozen=True)
class LabelledClips:
    """Features of all clips of N videos, and the classes of the videos.

    Attributes:
        clips: (M, D) float32, L2-normalised.
        begins: (N + 1,) int64; the clips of video i are ``begins[i]`` to ``begins[i + 1] - 1``.
        labels: (N,) int64, on the device of ``clips``.
    """

    clips: Tensor
    begins: np.ndarray
    labels: Tensor

    @classmethod
    def of(cls, videos: FeatureSet) -> LabelledClips:
        """Normalise the features of a set, on this process's GPU if it has one."""
        device = search_device()
        clips, begins = videos.clips()
        labels = torch.from_numpy(videos.labels).to(device)
        return cls(normalize(clips.to(device), dim=1), begins, labels)

    def part(self, which: np.ndarray) -> LabelledClips:
        """Select the videos where ``which`` (N,) bool is true."""
        counts = np.diff(self.begins)
        rows = torch.from_numpy(np.repeat(which, counts)).to(self.clips.device)
        begins = np.concatenate([[0], counts[which].cumsum()])
        chosen = torch.from_numpy(np.flatnonzero(which)).to(self.labels.device)
        return LabelledClips(self.clips[rows], begins, self.labels[chosen])

    def train(
        self,
        num_classes: int,
        settings: Sequence[tuple[float, float]],
        epochs: int,
        batch_size: int,
        seed: int,
    ) -> tuple[Tensor, Tensor]:
        """Train S linear classifiers together, from zero, by SGD on the cross-entropy.

        Each epoch uses one random clip of every video. The learning rate follows a cosine to 0.
        Each classifier gets the same updates as by ``torch.optim.SGD`` with momentum 0.9, but a
        step of all classifiers is one matrix product.

        Args:
            num_classes: Number of classes C.
            settings: Learning rate and weight decay (of weights and biases) of each classifier.
            epochs: Number of passes over the videos.
            batch_size: Number of videos in a step.
            seed: Seed of the order of videos and the choice of clips.

        Returns:
            Weights (S, D, C) and biases (S, C), which are not finite where the rate was too high.
        """
        clips, device = self.clips, self.clips.device
        rates, decays = torch.tensor(settings, dtype=torch.float32, device=device).T[..., None]
        # The bias is the weight of a constant feature, in the last row.
        weights = torch.zeros(clips.shape[1] + 1, len(settings), num_classes, device=device)
        momentum = torch.zeros_like(weights)
        targets = one_hot(self.labels, num_classes).to(clips.dtype)[:, None]
        rng = np.random.default_rng(seed)
        for epoch in range(epochs):
            rate = rates * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
            drawn = torch.from_numpy(rng.integers(self.begins[:-1], self.begins[1:])).to(device)
            order = torch.from_numpy(rng.permutation(len(self.labels))).to(device)
            for batch in order.split(batch_size):
                rows = clips[drawn[batch]]
                rows = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)
                scores = (rows @ weights.flatten(1)).view(len(batch), *weights.shape[1:])
                slopes = (softmax(scores, dim=2) - targets[batch]) / len(batch)
                gradient = (rows.T @ slopes.flatten(1)).view_as(weights)
                momentum.mul_(0.9).add_(gradient).addcmul_(decays, weights)
                weights.sub_(rate * momentum)
        weights = weights.transpose(0, 1)
        return weights[:, :-1], weights[:, -1]

    def probabilities(self, weights: Tensor, bias: Tensor) -> Tensor:
        """Average the class probabilities of each video's clips: (N, C), for (D, C) and (C,)."""
        probabilities = softmax(self.clips @ weights + bias, dim=1)
        counts = torch.from_numpy(np.diff(self.begins)).to(self.clips.device)
        owners = torch.arange(len(counts), device=self.clips.device).repeat_interleave(counts)
        sums = torch.zeros(len(counts), weights.shape[1], device=self.clips.device)
        return sums.index_add_(0, owners, probabilities) / counts[:, None]


def video_groups(videos: Sequence[str], pattern: str | None) -> np.ndarray:
    """Group videos (N,) int64 from the same recording, by their file names.

    Videos of the same UCF101 group (``gXX``) are cut from the same recording. With a group in
    both training and validation, the probe would be rewarded for recognising recordings.

    Args:
        videos: N paths.
        pattern: Regular expression. Videos whose file names match it with the same text are a
            group. None makes every video a group of its own.

    Raises:
        ValueError: If the pattern does not match a file name.
    """
    if pattern is None:
        return np.arange(len(videos))
    keys = []
    for video in videos:
        found = re.search(pattern, osp.basename(video))
        if found is None:
            raise ValueError(
                f"The group_pattern {pattern!r} does not match the video {video}: correct it, or "
                "set it to None if all videos are from different recordings."
            )
        keys.append(found.group())
    return np.unique(keys, return_inverse=True)[1]


def validation_cut(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw whole groups of every class for validation, from the training videos.

    Args:
        labels: (N,) int classes.
        groups: (N,) int groups. A group with several classes counts for that of its first video.
        share: Share of each class's groups, in 0..1. At least one group is drawn, and at least
            one is left for training.
        seed: Seed of the draw.

    Returns:
        (N,) bool, true for validation.

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
