"""How a training set is cut into batches, and what becomes of that when a run is resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader


@dataclass(frozen=True)
class BatchPlan:
    """A checkpoint carries its own.

    Attributes:
        ranks: Number of processes.
        batch_size: Videos in a batch of one rank.
        epoch_length: Iterations of an epoch.
    """

    ranks: int
    batch_size: int
    epoch_length: int

    @classmethod
    def of(cls, loader: DataLoader, ranks: int) -> BatchPlan:
        """The plan of a rank's loader."""
        # A loader with a batch sampler of its own has no batch_size.
        batch_size: Any = loader.batch_size or getattr(loader.batch_sampler, "batch_size", 1)
        return cls(ranks, batch_size, len(loader))

    def __str__(self) -> str:
        return f"{self.ranks} ranks x batch_size {self.batch_size}"


def check_batches(then: BatchPlan, now: BatchPlan) -> str | None:
    """Compare a checkpoint's plan with that of the run which resumes it.

    The learning rate, the negatives of the triplet loss and BatchNorm depend on the batch of
    all ranks together, so that one must not change unnoticed.

    Args:
        then (BatchPlan): The checkpoint's.
        now (BatchPlan): The run's.

    Returns:
        str | None: A warning, if the same batch is shared by another number of ranks.

    Raises:
        ValueError: If the batch of all ranks together has changed.
    """
    total = then.ranks * then.batch_size
    if now.ranks * now.batch_size != total:
        fitting = (
            f"set train_dataloader.batch_size={total // now.ranks}"
            if total % now.ranks == 0
            else f"use a number of ranks that divides {total}"
        )
        raise ValueError(
            f"The checkpoint was trained with {then} = {total} videos at once, but this run has "
            f"{now} = {now.ranks * now.batch_size}: {fitting} to resume, or start another run "
            "from these weights with load_from instead of resume."
        )
    if now.ranks != then.ranks:
        return (
            f"The checkpoint was trained with {then}, this run goes on with {now}: the same "
            "batches, but BatchNorm averages over other parts of them, so the result will not be "
            "bit-identical."
        )
    return None


def check_position(epoch: int, iteration: int, epoch_length: int) -> None:
    """Refuse a checkpoint from the middle of an epoch.

    Args:
        epoch (int): Finished epochs.
        iteration (int): Finished iterations.
        epoch_length (int): Iterations of an epoch when the checkpoint was saved.

    Raises:
        ValueError: With the reason.
    """
    extra = iteration - epoch * epoch_length
    if extra:
        raise ValueError(
            f"The checkpoint was saved after iteration {extra} of {epoch_length} of epoch "
            f"{epoch + 1}, and resuming there would train these {extra} batches twice: resume "
            "from a checkpoint that ends an epoch, as CheckpointHook(by_epoch=True) saves them."
        )
