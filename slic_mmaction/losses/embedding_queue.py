"""A queue of past embeddings that serve as negatives."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

EMPTY, NOISE = -2, -1

_BASE, _PLACES = 1 << 12, 3


class EmbeddingQueue(nn.Module):
    """First-in, first-out queue of the last K embeddings and their pseudo-labels.

    The network itself computed them some iterations ago, as in Wang et al., "Cross-Batch Memory
    for Embedding Learning", CVPR 2020. (MoCo, He et al., CVPR 2020, stores the embeddings of a
    slowly moving copy of the network.) They get no gradient.

    Labels of two clusterings cannot be compared, so the queue is emptied when the labels of the
    training set change (:meth:`use_labels`). All its state is in buffers, which checkpoints
    contain: a resumed run continues with the same queue.

    Args:
        size: Number K of embeddings, at least 1.
        channels: Width D of the embeddings, at least 1.

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
        """Pseudo-labels (K,) int64; -1 is noise and -2 is an empty slot."""
        return _from_digits(self.label_digits) + EMPTY

    @torch.no_grad()
    def use_labels(self, labels: Tensor) -> None:
        """Set the pseudo-labels (videos,) of the whole training set; new ones empty the queue."""
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
        """Return the stored embeddings and a mask of each embedding's negatives.

        A video's past embeddings have its own label, so they are not among its negatives. Two
        noise videos may show the same action, so noise is never a negative of noise.

        Args:
            embeddings: (M, D) embeddings of the batch.
            labels: (M,) int64 pseudo-labels; < 0 is noise.

        Returns:
            The stored embeddings (K, D), which :meth:`push` overwrites, and the mask (M, K) bool.

        Raises:
            RuntimeError: If :meth:`use_labels` was never called.
            ValueError: If the embeddings have another width than the queue.
        """
        if not self._in_use:
            raise RuntimeError(
                "The embedding queue has no pseudo-labels: add "
                "dict(type='EmbeddingQueueHook') to custom_hooks, or call use_labels()."
            )
        channels = self.embeddings.size(1)
        if embeddings.size(1) != channels:
            raise ValueError(
                f"The embedding queue holds embeddings of width {channels}, but got "
                f"{embeddings.size(1)}: set the loss's channels to the head's out_channels."
            )
        stored = self.labels
        differs = labels.clamp_min(NOISE)[:, None] != stored
        return self.embeddings, differs & (stored != EMPTY)

    @torch.no_grad()
    def push(self, embeddings: Tensor, labels: Tensor) -> None:
        """Replace the oldest embeddings by new ones (M, D); of more than K only the last K stay.

        Labels (M,) are int64 and less than 2^36 - 2; < 0 is noise.
        """
        size = len(self.embeddings)
        embeddings, labels = embeddings[-size:], labels[-size:]
        # With a tensor of slots instead of a slice, the host does not wait for the GPU.
        slots = (self.next_slot + torch.arange(len(labels), device=labels.device)) % size
        self.embeddings.index_copy_(0, slots, embeddings.to(self.embeddings.dtype))
        self.label_digits.index_copy_(0, slots, _to_digits(labels.clamp_min(NOISE) - EMPTY))
        self.next_slot.add_(len(labels)).remainder_(size)


# MMEngine's SyncBuffersHook replaces every buffer by its mean over the ranks, which it computes
# for integers as float32(sum) / ranks. All ranks hold the same queue, so nothing should change,
# but numbers above 2^24 / ranks would be rounded. Digits below 2^12 are safe up to 4096 ranks.


def _to_digits(numbers: Tensor) -> Tensor:
    """Convert (...,) int64 in [0, 2^36) to (..., 3) int64 in [0, 2^12), the lowest digit first."""
    return torch.stack([numbers // _BASE**place % _BASE for place in range(_PLACES)], dim=-1)


def _from_digits(digits: Tensor) -> Tensor:
    return sum((digits[..., p] * _BASE**p for p in range(_PLACES)), start=digits.new_zeros(()))
