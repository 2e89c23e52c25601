"""What all ranks must agree on: compared where a difference would do silent harm."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import suppress
from datetime import timedelta

from mmengine.dist import all_gather_object, barrier
from mmengine.runner import Runner
from torch import Tensor

from ..clustering.team import DEFAULT_TIMEOUT


def check_same_labels(labels: Tensor, moment: str) -> None:
    """Compare the pseudo-labels of all ranks; every rank calls this.

    Ranks that hold other labels than the rest would train for another objective without a sign.

    Args:
        labels (Tensor): (N,) int64, what this rank's loader workers read.
        moment (str): When, for the message: ``"after ..."``.

    Raises:
        RuntimeError: On every rank, naming those whose labels are not those of most ranks (of
            rank 0, where no labels have a majority).
    """
    digest = hashlib.sha256(labels.numpy().tobytes()).hexdigest()
    digests = all_gather_object(digest)
    # Equal counts keep the order of first sight, so rank 0 decides a tie.
    usual = Counter(digests).most_common(1)[0][0]
    others = [rank for rank, digest in enumerate(digests) if digest != usual]
    if others:
        _let_all_know()
        named = ", ".join(f"rank {rank} ({digests[rank][:12]})" for rank in others)
        raise RuntimeError(
            f"Pseudo-labels differ {moment}: {named} against rank {digests.index(usual)} "
            f"({usual[:12]}). Give all ranks the same annotation file and checkpoint; if they "
            "have, look for faulty memory on the machines of the ranks named first, and continue "
            "with --resume."
        )


def check_same_batches(num_batches: int) -> None:
    """Compare how many batches an epoch has on each rank; every rank calls this.

    Args:
        num_batches (int): On this rank.

    Raises:
        ValueError: On every rank, if they differ: those with more would wait in vain for the
            gradients of the others.
    """
    numbers = all_gather_object(num_batches)
    if len(set(numbers)) > 1:
        _let_all_know()
        raise ValueError(
            f"Ranks have {min(numbers)} to {max(numbers)} batches in an epoch (rank 0 has "
            f"{numbers[0]}), and need as many each: set train_dataloader.sampler.round_up=True or "
            "train_dataloader.drop_last=True."
        )


def _let_all_know() -> None:
    """Wait until every rank has what was gathered.

    A rank that ended earlier would close connections from which others still read. Whoever is
    here has read everything, so it does not matter who is left alone.
    """
    with suppress(RuntimeError):
        barrier()


def ranks_timeout(runner: Runner) -> timedelta:
    """How long ranks wait for each other, as configured for ``torch.distributed``."""
    seconds = runner.cfg.get("env_cfg", {}).get("dist_cfg", {}).get("timeout")
    return DEFAULT_TIMEOUT if seconds is None else timedelta(seconds=seconds)
