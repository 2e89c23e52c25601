"""Work of several ranks: shares of it, and what one does for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from mmengine.dist import all_gather_object, broadcast_object_list, get_dist_info, is_main_process
from torch import Tensor

Result = TypeVar("Result")


def search_device() -> torch.device:
    """Where neighbours are searched: this rank's GPU if it has one (float64 rules out others)."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def over_ranks(num_rows: int, work: Callable[[Tensor], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Results for all rows, of which each rank computes a part; every rank must call this.

    Args:
        num_rows (int): Number of rows N, at least one.
        work (Callable): From some row numbers (n,) int64 to tensors of n rows.

    Returns:
        tuple[Tensor, ...]: Tensors of N rows, on the CPU, the same on every rank.
    """
    rank, world_size = get_dist_info()
    rows = torch.arange(num_rows)
    own = rows[rank::world_size]
    found = tuple(part.cpu() for part in work(own)) if len(own) else None
    parts = [part for part in all_gather_object(found) if part is not None]
    order = torch.cat([rows[r::world_size] for r in range(world_size)]).argsort()
    return tuple(torch.cat(columns)[order] for columns in zip(*parts))


def from_main(work: Callable[[], Result]) -> Result:
    """What the main process finds, on every rank; an error of it is raised on every rank, too.

    Args:
        work (Callable): Called on the main process; its result must be picklable.
    """
    outcome: list[Any] = [None]
    if is_main_process():
        try:
            outcome = [(work(), None)]
        except Exception as error:
            outcome = [(None, error)]
    broadcast_object_list(outcome)
    result, failure = outcome[0]
    if failure is not None:
        raise failure
    return result


def in_step(work: Callable[[], None]) -> None:
    """Do this rank's work; if a rank fails, all do, instead of waiting for it.

    Raises:
        RuntimeError: If another rank failed.
    """
    failure: Exception | None = None
    try:
        work()
    except Exception as error:
        failure = error
    failures = all_gather_object(failure and f"{type(failure).__name__}: {failure}")
    if failure is not None:
        raise failure
    for text in failures:
        if text:
            raise RuntimeError(f"Another rank failed: {text}")
