"""How shares of a neighbour search are put together: not at all, or over ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from .faiss_search import own_rows
from .tile_search import TileScores, merge

Result = TypeVar("Result")


class Exchange(Protocol):
    """What :func:`search_together` asks of its surroundings.

    Attributes:
        rank: Share of this process.
        size: Number of shares.
    """

    rank: int
    size: int

    def in_step(self, work: Callable[[], Result]) -> Result:
        """Do this process's work, and go on only if all have done theirs."""

    def own_part(self, found: TileScores, num_rows: int) -> TileScores:
        """What all shares of a search found for this process's rows."""

    def all_rows(self, own: Tensor, num_rows: int) -> np.ndarray:
        """The results (num_rows,) int64 of all rows, from this process's own."""


class Alone:
    """One process, one share."""

    rank = 0
    size = 1

    def in_step(self, work: Callable[[], Result]) -> Result:
        """Do the work."""
        return work()

    def own_part(self, found: TileScores, num_rows: int) -> TileScores:
        """What was found."""
        return found

    def all_rows(self, own: Tensor, num_rows: int) -> np.ndarray:
        """The results themselves."""
        return own.cpu().numpy()


class Ranks:
    """All ranks of ``torch.distributed``, in step.

    An error on one rank is raised on all of them, before any waits for the others' data.

    Args:
        control: A gloo group of all ranks, for messages.
    """

    def __init__(self, control: Any) -> None:
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self._control = control
        self._device = communication_device()

    def in_step(self, work: Callable[[], Result]) -> Result:
        """Do this rank's work, and go on only if all have done theirs."""
        outcome: Result | Exception
        try:
            outcome = work()
        except Exception as error:
            outcome = error
        failures: list[str | None] = [None] * self.size
        failed = isinstance(outcome, Exception)
        message = f"{type(outcome).__name__}: {outcome}" if failed else None
        dist.all_gather_object(failures, message, group=self._control)
        if isinstance(outcome, Exception):
            raise outcome
        for rank, failure in enumerate(failures):
            if failure is not None:
                raise RuntimeError(f"The neighbour search failed on rank {rank}: {failure}")
        return outcome

    def own_part(self, found: TileScores, num_rows: int) -> TileScores:
        """What all ranks found for this one's rows."""
        parts: list[TileScores] = []
        for receiver in range(self.size):
            own = own_rows(num_rows, receiver, self.size)
            rows = slice(own.start, own.stop)
            columns = [self._gather(column[rows], receiver) for column in found]
            if receiver == self.rank:
                parts = [TileScores(*part) for part in zip(*columns)]
        return merge(parts)

    def all_rows(self, own: Tensor, num_rows: int) -> np.ndarray:
        """The results of all ranks' rows, on every rank."""
        sizes = [len(own_rows(num_rows, rank, self.size)) for rank in range(self.size)]
        # A collective needs parts of one size.
        padded = torch.zeros(max(sizes), dtype=own.dtype, device=self._device)
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes)]).cpu().numpy()

    def _gather(self, part: Tensor, receiver: int) -> list[Tensor]:
        device = part.device
        part = part.contiguous().to(self._device)
        received = None
        if self.rank == receiver:
            received = [torch.empty_like(part) for _ in range(self.size)]
        if len(part):
            dist.gather(part, received, dst=receiver)
        return [column.to(device) for column in received or []]


def communication_device() -> torch.device:
    """Where the default process group wants its tensors."""
    nccl = dist.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if nccl else torch.device("cpu")
