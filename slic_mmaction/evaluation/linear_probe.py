"""Linear classifiers for all settings of a sweep, trained at once, and videos to choose by."""

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
    """Features of all clips of N videos, and the videos' classes.

    Attributes:
        clips: (M, D) float32, L2-normalised.
        begins: (N + 1,) int64; the clips of video i are ``begins[i]`` up to ``begins[i + 1]``.
        labels: (N,) int64, on the device of ``clips``.
    """

    clips: Tensor
    begins: np.ndarray
    labels: Tensor

    @classmethod
    def of(cls, videos: FeatureSet) -> LabelledClips:
        """From features as the network gave them, on this process's GPU if it has one."""
        device = search_device()
        clips, begins = videos.clips()
        labels = torch.from_numpy(videos.labels).to(device)
        return cls(normalize(clips.to(device), dim=1), begins, labels)

    def part(self, which: np.ndarray) -> LabelledClips:
        """The videos for which ``which`` (N,) bool is true."""
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
        """Train S linear classifiers side by side: SGD on the cross-entropy, from zero.

        In each epoch every video is seen once, by one of its clips, drawn at random; the rate
        falls to 0 along a cosine. Each classifier goes exactly the way that ``torch.optim.SGD``
        with momentum 0.9 would take; all of them together are one matrix product per step.

        Args:
            num_classes: C.
            settings: Learning rate and weight decay, on weights and biases, of each classifier.
            epochs: Passes over the videos.
            batch_size: Videos in a step.
            seed: Of the order of videos and the choice of clips.

        Returns:
            Weights (S, D, C) and biases (S, C), which are not finite where a rate was too high.
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
        """Class probabilities (N, C) of the videos, the mean of those of their clips.

        Args:
            weights: (D, C).
            bias: (C,).
        """
        probabilities = softmax(self.clips @ weights + bias, dim=1)
        counts = torch.from_numpy(np.diff(self.begins)).to(self.clips.device)
        owners = torch.arange(len(counts), device=self.clips.device).repeat_interleave(counts)
        sums = torch.zeros(len(counts), weights.shape[1], device=self.clips.device)
        return sums.index_add_(0, owners, probabilities) / counts[:, None]


def video_groups(videos: Sequence[str], pattern: str | None) -> np.ndarray:
    """Groups (N,) int64 of videos from one recording, by their file names.

    Clips of one UCF101 group (``gXX``) are cut from the same recording: a cut through a group
    would measure memory.

    Args:
        videos: N paths.
        pattern: Regular expression; videos are of one group where it matches the same text of
            the file name. None makes every video a group of its own.
    """
    if pattern is None:
        return np.arange(len(videos))
    keys = []
    for video in videos:
        found = re.search(pattern, osp.basename(video))
        if found is None:
            raise ValueError(
                f"The group_pattern {pattern!r} does not match the video {video}: write one that "
                "does, or set it to None if no two videos come from the same recording."
            )
        keys.append(found.group())
    return np.unique(keys, return_inverse=True)[1]


def validation_cut(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Set whole groups of every class aside to choose settings by: the test set is not touched.

    Args:
        labels: (N,) int classes.
        groups: (N,) int groups. One that spans classes counts to that of its first video.
        share: Part of each class's groups, within 0..1; at least one group, and each class keeps
            one for training.
        seed: Of the draw.

    Returns:
        (N,) bool, true for validation; a ValueError if no class has two groups.
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
