"""Acting on all ranks: shares of work, errors that reach every rank, and what ranks must agree on.

All of it works in one process, too, without ``torch.distributed``.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from mmengine.dist import all_gather_object, barrier, broadcast_object_list, is_main_process
from torch import Tensor

Result = TypeVar("Result")


class LostRankError(RuntimeError):
    """Another rank has died, or gave no answer within the time-out."""


def lost_rank(error: BaseException) -> LostRankError | None:
    """What an error of ``torch.distributed`` says of another rank.

    Gloo raises plain RuntimeErrors that name a line of its C++ source and a port. Returns the
    error to raise in its place; None if it has nothing to do with ranks.
    """
    if isinstance(error, LostRankError):
        return error
    text = str(error)
    if "gloo/" not in text and not isinstance(error, getattr(dist, "DistError", ())):
        return None
    if "imed out" in text or "imeout" in text:
        happened = (
            "did not answer within the time-out (env_cfg.dist_cfg.timeout, in seconds; what rank 0 "
            "does alone while the others wait, such as clustering by k-means, must end within it)"
        )
    else:
        happened = "closed its connection: it has failed or was killed"
    rank = f"Rank {dist.get_rank()}" if dist.is_initialized() else "This rank"
    return LostRankError(
        f"{rank} stops because another rank {happened}. The cause is in the output of the rank "
        "that stopped or fell silent first; when it is mended, continue with --resume."
    )


def share_of(num_rows: int, rank: int, size: int) -> range:
    """The rows that a rank works on: contiguous, and nearly as many for each of ``size`` ranks."""
    return range(num_rows * rank // size, num_rows * (rank + 1) // size)


def gather_rows(own: Tensor) -> Tensor:
    """Results for all rows, on the CPU, of each rank's for its :func:`share_of` them."""
    return torch.cat(all_gather_object(own.cpu()))


def together(work: Callable[[], Result]) -> Result:
    """Do this rank's work; if it fails on one rank, it fails on all, before any waits for it.

    The work must not wait for other ranks itself. Its result is returned.

    Raises:
        RuntimeError: If another rank failed; a rank that failed itself raises its own error.
    """
    failure: Exception | None = None
    try:
        result = work()
    except Exception as error:
        failure = error
    texts = all_gather_object(failure and f"{type(failure).__name__}: {failure}")
    if failure is not None:
        raise failure
    for rank, text in enumerate(texts):
        if text:
            raise RuntimeError(f"Rank {rank} failed: {text}")
    return result


def on_main(work: Callable[[], Result]) -> Result:
    """Let rank 0 do some work for all; its result, or error, which is pickled, goes to every rank.

    The others wait, no longer than the time-out of the process group.
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


def check_same_labels(labels: Tensor, moment: str) -> None:
    """Compare the pseudo-labels of all ranks; every rank calls this.

    Ranks that hold other labels (N,) than the rest would train for another objective without a
    sign. ``moment`` ends a sentence: ``"after ..."``.

    Raises:
        RuntimeError: On every rank, naming those whose labels are not those of most ranks (of
            rank 0, where no labels have a majority).
    """
    digests = all_gather_object(hashlib.sha256(labels.numpy().tobytes()).hexdigest())
    # Equal counts keep the order of first sight, so rank 0 decides a tie.
    usual = Counter(digests).most_common(1)[0][0]
    others = [rank for rank, digest in enumerate(digests) if digest != usual]
    if others:
        _wait_for_all()
        named = ", ".join(f"rank {rank} ({digests[rank][:12]})" for rank in others)
        raise RuntimeError(
            f"Pseudo-labels differ {moment}: {named} against rank {digests.index(usual)} "
            f"({usual[:12]}). Give all ranks the same annotation file and checkpoint; if they "
            "have, look for faulty memory on the machines of the ranks named first, and continue "
            "with --resume."
        )


def check_same_batches(num_batches: int) -> None:
    """Compare how many batches an epoch has on each rank; every rank calls this.

    Raises:
        ValueError: On every rank, if they differ: those with more would wait in vain for the
            gradients of the others.
    """
    numbers = all_gather_object(num_batches)
    if len(set(numbers)) > 1:
        _wait_for_all()
        raise ValueError(
            f"Ranks have {min(numbers)} to {max(numbers)} batches in an epoch (rank 0 has "
            f"{numbers[0]}), and need as many each: set train_dataloader.sampler.round_up=True or "
            "train_dataloader.drop_last=True."
        )


def _wait_for_all() -> None:
    """Wait until every rank has what was gathered.

    A rank that ended earlier would close connections from which others still read. Whoever is
    here has read everything, so it does not matter who is left alone.
    """
    with suppress(RuntimeError):
        barrier()
