"""Linear classifiers for all settings of a sweep, trained at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot, softmax


@dataclass(frozen=True)
class SweepSettings:
    """How linear classifiers are trained: SGD on the cross-entropy, from zero.

    Attributes:
        lrs: Learning rate of each of the S classifiers.
        weight_decays: Weight decay of each, on weights and biases.
        epochs: Passes over the videos; the rate falls to 0 along a cosine, epoch by epoch.
        batch_size: Videos in a step.
        momentum: Of SGD.
        seed: Of the order of videos and the choice of clips.
    """

    lrs: tuple[float, ...]
    weight_decays: tuple[float, ...]
    epochs: int = 100
    batch_size: int = 256
    momentum: float = 0.9
    seed: int = 0


def train_linear_sweep(
    clips: Tensor, begins: np.ndarray, labels: Tensor, num_classes: int, settings: SweepSettings
) -> tuple[Tensor, Tensor]:
    """Train S linear classifiers side by side on the same batches.

    In each epoch every video is seen once, by one of its clips, drawn at random. Each
    classifier goes exactly the way that ``torch.optim.SGD`` would take with its settings; all
    of them together are one matrix product per step.

    Args:
        clips (Tensor): (M, D) float32 features of all clips.
        begins (np.ndarray): (N + 1,) int64; the clips of video i are ``begins[i]`` up to
            ``begins[i + 1]``.
        labels (Tensor): (N,) int64 classes, on the device of ``clips``.
        num_classes (int): C.
        settings (SweepSettings): Of all S classifiers.

    Returns:
        tuple[Tensor, Tensor]: Weights (S, D, C) and biases (S, C), which are not finite where
        a rate was too high.
    """
    device, dim = clips.device, clips.shape[1]
    rates = torch.tensor(settings.lrs, device=device)[:, None]
    decays = torch.tensor(settings.weight_decays, device=device)[:, None]
    # The bias is the weight of a constant feature, in the last row.
    weights = torch.zeros(dim + 1, len(settings.lrs), num_classes, device=device)
    momentum = torch.zeros_like(weights)
    targets = one_hot(labels, num_classes).to(clips.dtype)[:, None]
    rng = np.random.default_rng(settings.seed)
    for epoch in range(settings.epochs):
        rate = rates * 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs))
        seen = torch.from_numpy(rng.integers(begins[:-1], begins[1:])).to(device)
        order = torch.from_numpy(rng.permutation(len(labels))).to(device)
        for batch in order.split(settings.batch_size):
            features = _with_constant(clips[seen[batch]])
            scores = (features @ weights.flatten(1)).view(len(batch), *weights.shape[1:])
            slopes = (softmax(scores, dim=2) - targets[batch]) / len(batch)
            gradient = (features.T @ slopes.flatten(1)).view_as(weights)
            momentum.mul_(settings.momentum).add_(gradient).addcmul_(decays, weights)
            weights.sub_(rate * momentum)
    weights = weights.transpose(0, 1)
    return weights[:, :-1], weights[:, -1]


def video_probabilities(clips: Tensor, begins: np.ndarray, weights: Tensor, bias: Tensor) -> Tensor:
    """Class probabilities of videos: the mean of those of their clips.

    Args:
        clips (Tensor): (M, D) features of all clips.
        begins (np.ndarray): (N + 1,) int64, where each video's clips begin.
        weights (Tensor): (D, C).
        bias (Tensor): (C,).

    Returns:
        Tensor: (N, C).
    """
    probabilities = softmax(clips @ weights + bias, dim=1)
    counts = torch.from_numpy(np.diff(begins)).to(clips.device)
    owners = torch.arange(len(counts), device=clips.device).repeat_interleave(counts)
    sums = torch.zeros(len(counts), weights.shape[1], device=clips.device)
    return sums.index_add_(0, owners, probabilities) / counts[:, None]


def _with_constant(features: Tensor) -> Tensor:
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)
