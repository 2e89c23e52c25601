"""Gathering the batches of all ranks, in the order in which one process would hold them."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def several_ranks() -> bool:
    """Return whether there are other processes to gather from."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def anchors_and_positives(
    loss: str, embeddings: Tensor, labels: Tensor, gather: bool
) -> tuple[Tensor, Tensor]:
    """Check a batch; return its first two views (N, 2, D) and its labels (N,).

    Args:
        loss: Name of the loss, for errors.
        embeddings: (N, V, D) with V >= 2.
        labels: (N,) int64.
        gather: Whether to return the batch of all ranks (:func:`gather_batch`).

    Raises:
        ValueError: If there are fewer than two views, or not one label per video.
    """
    if embeddings.ndim != 3 or embeddings.size(1) < 2:
        raise ValueError(
            f"{loss} needs embeddings (N, V, D) with an anchor and a positive view, but got shape "
            f"{tuple(embeddings.shape)}."
        )
    if labels.shape != embeddings.shape[:1]:
        raise ValueError(
            f"{loss} needs one label per video, but got {tuple(labels.shape)} for "
            f"{embeddings.size(0)} videos."
        )
    views = embeddings[:, :2]
    return gather_batch(views, labels) if gather else (views, labels)


def gather_batch(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Gather the rows of all W ranks; every rank calls this and gets the same values.

    Row k of rank r goes before row k of rank r + 1 and row k + 1 of rank 0: MMEngine's
    ``DefaultSampler`` deals the shuffled videos to the ranks in turn, so this is the batch that
    one process would draw. The ranks may have different numbers of rows (an uneven last batch).

    Only this rank's rows carry a gradient, multiplied by W. Every rank computes the same loss L
    of the whole batch and backpropagates W dL/d(own rows). The mean over ranks that
    DistributedDataParallel takes is then the gradient of L, as in one process. A caller who sums
    gradients over ranks must divide by W. The backward pass communicates nothing.

    Args:
        embeddings: (N, ...), any floating dtype.
        labels: (N,) int64.

    Returns:
        The rows of all ranks, float32 (float64 for float64 input), and their labels.
    """
    ranks, rank = dist.get_world_size(), dist.get_rank()
    # Margins are as small as half precision's rounding error; distances are float32 anyway.
    own = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
    own = own + (ranks - 1) * (own - own.detach())  # the same values, W times the gradient
    labels = labels.to(own.device)

    count = torch.tensor([len(own)], device=own.device)
    sizes = torch.cat(_gather(count)).tolist()
    most = max(sizes)
    parts = _gather(_padded(own.detach(), most))
    parts[rank] = _padded(own, most)
    label_parts = _gather(_padded(labels, most))

    order = [r * most + k for k in range(most) for r, size in enumerate(sizes) if k < size]
    rows = torch.tensor(order, device=own.device)
    return torch.cat(parts)[rows], torch.cat(label_parts)[rows]


def share_generator(generator: torch.Generator | None, device: torch.device) -> torch.Generator:
    """Give every rank the state of rank 0's generator, so that all ranks draw the same.

    Rank 0 holds the first sample of the whole batch (:func:`gather_batch`). A generator seeded
    by the first sample, as in :class:`~slic_mmaction.models.SLICHead`, is therefore in the state
    that it would have in one process. It is changed in place and returned. None makes a new
    generator on ``device``, seeded from torch's default generator of rank 0.
    """
    if generator is None:
        generator = torch.Generator(device)
        generator.manual_seed(int(torch.randint(1 << 62, ())))
    state = generator.get_state().to(device)
    dist.broadcast(state, src=0)
    generator.set_state(state.cpu())
    return generator


def _gather(part: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(part) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, part)
    return parts


def _padded(part: Tensor, rows: int) -> Tensor:
    """Append zeros up to ``rows`` rows, because a collective needs parts of the same size."""
    missing = part.new_zeros(rows - len(part), *part.shape[1:])
    return torch.cat((part, missing))
