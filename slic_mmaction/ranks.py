"""Work on all ranks: shares of rows, errors that reach every rank, and checks of equality.

Everything also works in one process without ``torch.distributed``.
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
    """Raised when another rank has died or did not answer within the timeout."""


def lost_rank(error: BaseException) -> LostRankError | None:
    """Convert an error of ``torch.distributed`` about another rank to a :class:`LostRankError`.

    Gloo raises plain RuntimeErrors that name a line of its C++ source and a port. Returns the
    error to raise instead, or None for errors without relation to ranks.
    """
    if isinstance(error, LostRankError):
        return error
    text = str(error)
    if "gloo/" not in text and not isinstance(error, getattr(dist, "DistError", ())):
        return None
    if "imed out" in text or "imeout" in text:
        happened = (
            "did not answer within the timeout (env_cfg.dist_cfg.timeout, in seconds; work of "
            "rank 0 alone, such as clustering by k-means, must end within it)"
        )
    else:
        happened = "closed its connection: it has failed or was killed"
    rank = f"Rank {dist.get_rank()}" if dist.is_initialized() else "This rank"
    return LostRankError(
        f"{rank} stops because another rank {happened}. The cause is in the output of the rank "
        "that stopped first; fix it and continue with --resume."
    )


def share_of(num_rows: int, rank: int, size: int) -> range:
    """Return a rank's contiguous share of the rows, of nearly equal size on all ``size`` ranks."""
    return range(num_rows * rank // size, num_rows * (rank + 1) // size)


def gather_rows(own: Tensor) -> Tensor:
    """Gather the results for all rows on the CPU, from each rank's results for its share."""
    return torch.cat(all_gather_object(own.cpu()))


def together(work: Callable[[], Result]) -> Result:
    """Run this rank's work and return its result; a failure on one rank is raised on all.

    No rank then waits for one that has failed. The work itself must not wait for other ranks.

    Raises:
        RuntimeError: If another rank failed. A rank that failed itself raises its own error.
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
    """Run some work on rank 0 and return its result, or raise its error, on every rank.

    The result is pickled. The other ranks wait, up to the timeout of the process group.
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
    """Check that all ranks have the same pseudo-labels (N,); every rank calls this.

    Ranks with different labels would silently train for different objectives. ``moment`` is the
    end of the message's sentence: ``"after ..."``.

    Raises:
        RuntimeError: On every rank if labels differ. The message names the ranks whose labels are
            not those of the majority (or of rank 0, without a majority).
    """
    digests = all_gather_object(hashlib.sha256(labels.numpy().tobytes()).hexdigest())
    # Counter keeps the order of first occurrence for equal counts, so rank 0 decides a tie.
    usual = Counter(digests).most_common(1)[0][0]
    others = [rank for rank, digest in enumerate(digests) if digest != usual]
    if others:
        _wait_for_all()
        named = ", ".join(f"rank {rank} ({digests[rank][:12]})" for rank in others)
        raise RuntimeError(
            f"Pseudo-labels differ {moment}: {named} against rank {digests.index(usual)} "
            f"({usual[:12]}). Give all ranks the same annotation file and checkpoint. If they "
            "have them, check the memory of the machines of the ranks named first, and continue "
            "with --resume."
        )


def check_same_batches(num_batches: int) -> None:
    """Check that an epoch has the same number of batches on all ranks; every rank calls this.

    Raises:
        ValueError: On every rank if the numbers differ. Ranks with more batches would wait
            forever for the gradients of the others.
    """
    numbers = all_gather_object(num_batches)
    if len(set(numbers)) > 1:
        _wait_for_all()
        raise ValueError(
            f"Ranks have {min(numbers)} to {max(numbers)} batches in an epoch (rank 0 has "
            f"{numbers[0]}), but need the same number: set "
            "train_dataloader.sampler.round_up=True or train_dataloader.drop_last=True."
        )


def _wait_for_all() -> None:
    """Wait until every rank has received the gathered objects.

    A rank that ended earlier would close connections from which others still read. A rank that
    gets here has received everything, so an error of the barrier does not matter.
    """
    with suppress(RuntimeError):
        barrier()
