"""Telling, in words, that another rank of the run is gone."""

from __future__ import annotations

import torch.distributed as dist


class LostRankError(RuntimeError):
    """Another rank has died, or gave no answer within the time-out."""


def lost_rank(error: BaseException) -> LostRankError | None:
    """What an error of ``torch.distributed`` says of another rank.

    Gloo raises plain RuntimeErrors that name a line of its C++ source and a port.

    Args:
        error: What was raised.

    Returns:
        The error to raise in its place; None if it has nothing to do with ranks.
    """
    if isinstance(error, LostRankError):
        return error
    text = str(error)
    if "gloo/" not in text and not isinstance(error, getattr(dist, "DistError", ())):
        return None
    if "imed out" in text or "imeout" in text:
        happened = "did not answer within the time-out (env_cfg.dist_cfg.timeout, in seconds)"
    else:
        happened = "closed its connection: it has failed or was killed"
    rank = f"Rank {dist.get_rank()}" if dist.is_initialized() else "This rank"
    return LostRankError(
        f"{rank} stops because another rank {happened}. The cause is in the output of the rank "
        "that stopped or fell silent first; when it is mended, continue with --resume."
    )
