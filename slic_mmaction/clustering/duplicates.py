"""Rows that are equal to the last bit."""

from __future__ import annotations

import numpy as np
import torch

from .prepared_rows import PreparedRows


def find_duplicates(rows: PreparedRows) -> tuple[np.ndarray, np.ndarray]:
    """Tell copies from distinct rows, without sorting rows: by a 64-bit hash and a check.

    Args:
        rows: N rows, compared after preparation, rounded to float32.

    Returns:
        ``firsts`` (U,) int64, the lowest index of every distinct row, ascending; and
        ``other_copy`` (N,) int64, the lowest index of another copy of a row, -1 where there is
        none.
    """
    factors = np.random.default_rng(0).integers(1 << 62, size=rows.dim, dtype=np.uint64) * 2 + 1
    hashes = np.empty(len(rows), dtype=np.uint64)
    for block in rows.blocks():
        bits = rows.exact(block).float().cpu().numpy().view(np.uint32)
        # Unsigned products wrap around; odd factors lose nothing. A high bit of a float differs
        # more often than a low one, so it must reach the low bits of the sum, too.
        hashes[block] = (bits * factors + (bits * factors >> np.uint64(32))).sum(1, dtype=np.uint64)
    order = np.argsort(hashes, kind="stable")
    again = hashes[order[1:]] == hashes[order[:-1]]
    # A row after another of the same hash is its copy if it is equal; if it is not, it counts as
    # distinct. Only time is lost then: the search finds near rows anyway.
    second, first = order[1:][again], order[:-1][again]
    equal = np.zeros(len(second), dtype=bool)
    step = max(1, (1 << 20) // rows.dim)
    for start in range(0, len(second), step):
        part = slice(start, start + step)
        pair = [
            rows.exact(torch.from_numpy(end[part]).to(rows.device)).float()
            for end in (first, second)
        ]
        equal[part] = (pair[0] == pair[1]).all(1).cpu().numpy()
    is_copy = np.zeros(len(rows), dtype=bool)
    is_copy[second[equal]] = True
    # Runs of copies in `order`: each starts with its lowest index, as the sort is stable.
    starts = np.flatnonzero(~is_copy[order])
    sizes = np.diff(np.append(starts, len(rows)))
    firsts = order[starts]
    other_copy = np.full(len(rows), -1, dtype=np.int64)
    other_copy[order] = np.repeat(np.where(sizes > 1, firsts, -1), sizes)
    repeated = starts[sizes > 1]
    other_copy[order[repeated]] = order[repeated + 1]
    return np.sort(firsts), other_copy
