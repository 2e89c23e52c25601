"""The one copy of all embeddings, in memory or, where that is too small, in a file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import all_reduce, get_rank
from torch import Tensor

_BLOCK_ELEMENTS = 1 << 24


def new_matrix(
    num_rows: int, dim: int, device: torch.device, max_bytes: int, folder: Path
) -> Tensor:
    """Zeros (num_rows, dim) float32: on the device, or in a memory-mapped ``.npy``.

    The file has no name any more when this returns, so nothing is left behind when the matrix
    is let go of, however the process ends; each rank has its own.

    Args:
        num_rows (int): N.
        dim (int): D.
        device (torch.device): Where a matrix of at most ``max_bytes`` goes.
        max_bytes (int): Largest matrix in memory.
        folder (Path): Where the file lies, on a disk with room for 4 N D bytes for each rank.

    Raises:
        OSError: If there is no room.
    """
    if 4 * num_rows * dim <= max_bytes:
        return torch.zeros(num_rows, dim, device=device)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".embeddings_rank{get_rank()}.npy"
    try:
        rows = np.lib.format.open_memmap(path, "w+", np.float32, (num_rows, dim))
        # Claims the room now: a sparse file would end in a crash when the disk is full.
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
    except OSError as error:
        raise OSError(
            f"The embeddings take {4 * num_rows * dim} bytes, more than max_embedding_bytes="
            f"{max_bytes}, and do not fit into {folder} ({error}): make room there, or raise "
            "max_embedding_bytes if there is memory."
        ) from error
    finally:
        path.unlink(missing_ok=True)
    return torch.from_numpy(rows)


def sum_over_ranks(matrix: Tensor, device: torch.device) -> None:
    """Add up a matrix over all ranks, in place and block by block.

    Args:
        matrix (Tensor): (N, D), in which each row is zero on all ranks but one.
        device (torch.device): Where blocks of a matrix in a file go to be added.
    """
    for block in matrix.split(max(1, _BLOCK_ELEMENTS // matrix.size(1))):
        if block.device == device:
            all_reduce(block)
        else:
            total = block.to(device)
            all_reduce(total)
            block.copy_(total)


def keep_rows(matrix: Tensor, keep: np.ndarray) -> Tensor:
    """The rows (K, D) of which ``keep`` (N,) is true, moved up in the matrix itself."""
    if keep.all():
        return matrix
    rows = torch.from_numpy(np.flatnonzero(keep)).to(matrix.device)
    start = 0
    for part in rows.split(max(1, _BLOCK_ELEMENTS // matrix.size(1))):
        # A row only moves up, so a block never overwrites one that is still to be read.
        matrix[start : start + len(part)] = matrix[part]
        start += len(part)
    return matrix[:start]
