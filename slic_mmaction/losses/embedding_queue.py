"""A memory of past embeddings that serve as negatives."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

EMPTY, NOISE = -2, -1

_BASE, _PLACES = 1 << 12, 3


class EmbeddingQueue(nn.Module):
    """The last K embeddings with their pseudo-labels; the oldest are replaced first.

    They are the same network's of some iterations ago, as in Wang et al., "Cross-Batch Memory
    for Embedding Learning", CVPR 2020 (He et al., MoCo, CVPR 2020, keep those of a slowly moving
    copy of it), and get no gradient.

    Labels of two clusterings cannot be compared, so the queue is emptied when the labels of the
    training set change (:meth:`use_labels`). Everything is in buffers, which are saved in
    checkpoints: a resumed run goes on with the same queue.

    Args:
        size: Number K of embeddings, at least 1.
        channels: Their width D, at least 1.

    Raises:
        ValueError: If an argument is out of range.
    """

    embeddings: Tensor
    label_digits: Tensor
    next_slot: Tensor
    digest_digits: Tensor

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        if size < 1 or channels < 1:
            raise ValueError(
                f"EmbeddingQueue needs size and channels of at least 1, but got {size} and "
                f"{channels}."
            )
        self.register_buffer("embeddings", torch.zeros(size, channels))
        self.register_buffer("label_digits", torch.zeros(size, _PLACES, dtype=torch.int64))
        self.register_buffer("next_slot", torch.tensor(0))
        self.register_buffer("digest_digits", torch.zeros(_PLACES, dtype=torch.int64))
        self._in_use = False

    @property
    def labels(self) -> Tensor:
        """(K,) int64 pseudo-labels; -1 is noise and -2 an empty place."""
        return _from_digits(self.label_digits) + EMPTY

    @torch.no_grad()
    def use_labels(self, labels: Tensor) -> None:
        """Say which pseudo-labels (videos,) the whole training set has from now on.

        Other ones than so far empty the queue.
        """
        content = labels.to("cpu", torch.int64).numpy().tobytes()
        digest = int.from_bytes(hashlib.blake2b(content).digest(), "big") % _BASE**_PLACES
        digits = _to_digits(torch.tensor(digest)).to(self.digest_digits.device)
        if not torch.equal(digits, self.digest_digits):
            self.embeddings.zero_()
            self.label_digits.zero_()
            self.next_slot.zero_()
            self.digest_digits.copy_(digits)
        self._in_use = True

    @torch.no_grad()
    def negatives(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The memory, and who of it is a negative of whom.

        A video's past embeddings have its own label, so they are none of its negatives. Noise
        cannot be told from noise, so a noise video has no noise among its negatives.

        Given embeddings (M, D) and pseudo-labels (M,), of which < 0 is noise, returns the stored
        embeddings (K, D), which :meth:`push` overwrites, and the mask (M, K).

        Raises:
            RuntimeError: If :meth:`use_labels` was never called.
            ValueError: If the embeddings are of another width than the memory's.
        """
        if not self._in_use:
            raise RuntimeError(
                "The embedding queue does not know when pseudo-labels change: add "
                "dict(type='EmbeddingQueueHook') to custom_hooks, or call use_labels()."
            )
        channels = self.embeddings.size(1)
        if embeddings.size(1) != channels:
            raise ValueError(
                f"The embedding queue holds embeddings of width {channels}, but got "
                f"{embeddings.size(1)}: set the loss's channels to the head's out_channels."
            )
        stored = self.labels
        other = labels.clamp_min(NOISE)[:, None] != stored
        return self.embeddings, other & (stored != EMPTY)

    @torch.no_grad()
    def push(self, embeddings: Tensor, labels: Tensor) -> None:
        """Put embeddings (M, D) instead of the oldest ones; of more than K the last K stay.

        Labels (M,) are int64 and less than 2^36 - 2; < 0 is noise.
        """
        size = len(self.embeddings)
        embeddings, labels = embeddings[-size:], labels[-size:]
        # A tensor of slots, not a slice: a GPU need not be waited for.
        slots = (self.next_slot + torch.arange(len(labels), device=labels.device)) % size
        self.embeddings.index_copy_(0, slots, embeddings.to(self.embeddings.dtype))
        self.label_digits.index_copy_(0, slots, _to_digits(labels.clamp_min(NOISE) - EMPTY))
        self.next_slot.add_(len(labels)).remainder_(size)


# MMEngine's SyncBuffersHook replaces every buffer by its mean over the ranks, which it computes
# for integers as float32(sum) / ranks. Ranks hold the same queue, so nothing should change, but
# larger numbers than 2^24 / ranks would be rounded. Digits below 2^12 are safe to 4096 ranks.


def _to_digits(numbers: Tensor) -> Tensor:
    """(...,) int64 in [0, 2^36) to (..., 3) int64 in [0, 2^12), the lowest first."""
    return torch.stack([numbers // _BASE**place % _BASE for place in range(_PLACES)], dim=-1)


def _from_digits(digits: Tensor) -> Tensor:
    return sum((digits[..., p] * _BASE**p for p in range(_PLACES)), start=digits.new_zeros(()))
