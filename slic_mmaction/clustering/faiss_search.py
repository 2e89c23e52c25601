"""First neighbours by a flat index of faiss."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..progress import track
from .prepared_rows import PreparedRows
from .tile_search import TILE, TileScores

_CANDIDATES = 6  # the row itself may be among them
_QUERIES_AT_ONCE = 1 << 14

_GPU_TRIAL = """
import faiss, numpy as np
rows = np.eye(8, dtype=np.float32)
index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, faiss.IndexFlatIP(8))
index.add(rows)
assert (index.search(rows, 1)[1][:, 0] == np.arange(8)).all()
"""


@lru_cache(maxsize=1)
def faiss_gpu_failure() -> str | None:
    """Why faiss cannot search on the GPU, or None if it can.

    Tried in another process, because a wheel without code for this GPU does not raise an
    error: faiss aborts the process.
    """
    trial = subprocess.run(
        [sys.executable, "-c", _GPU_TRIAL], capture_output=True, text=True, timeout=120, check=False
    )
    if trial.returncode == 0:
        return None
    lines = trial.stderr.strip().splitlines()
    return lines[-1] if lines else f"its process ended with code {trial.returncode}"


def flat_search(rows: PreparedRows, share: int = 0, shares: int = 1) -> TileScores:
    """The same as :func:`search_tiles` by a flat index of faiss: a GPU one for rows on a GPU.

    faiss does not use the symmetry and holds a copy of the rows.

    Args:
        rows: N rows.
        share: Which part of the rows to search for; the others' scores are -inf.
        shares: Number of parts.

    Raises:
        ImportError: If faiss is not installed.
    """
    import faiss

    # Factors for the Euclidean metric differ left and right and have two columns more.
    index: Any = faiss.IndexFlatIP(rows.scoring(slice(0, 1))[0].size(1))
    if rows.device.type == "cuda":
        index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), rows.device.index or 0, index)
    for block in rows.blocks():
        index.add(_array(rows.scoring(block)[1]))
    scores = torch.full((len(rows), _CANDIDATES - 1), -torch.inf, device=rows.device)
    tiles = torch.zeros(scores.shape, dtype=torch.int32, device=rows.device)
    own = own_rows(len(rows), share, shares)
    starts = range(own.start, own.stop, _QUERIES_AT_ONCE)
    for start in track(starts, len(starts), "Searching first neighbours (faiss)"):
        queries = slice(start, min(start + _QUERIES_AT_ONCE, own.stop))
        found, keys = _search(index, rows.scoring(queries)[0], _CANDIDATES)
        itself = keys == torch.arange(queries.start, queries.stop, device=rows.device)[:, None]
        best = found.masked_fill(itself, -torch.inf).topk(_CANDIDATES - 1, dim=1)
        scores[queries] = best.values
        tiles[queries] = (keys.gather(1, best.indices).clamp_min(0) // TILE).int()
    return TileScores(scores, tiles, torch.zeros(len(rows), device=rows.device))


def _search(index: Any, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Scores (n, k) and keys (n, k) int64 of an index's search; missing ones are -inf and -1."""
    values, keys = index.search(_array(queries), k)
    found = torch.from_numpy(values).to(queries.device)
    numbers = torch.from_numpy(keys).to(queries.device)
    return found.masked_fill_(numbers < 0, -torch.inf), numbers


def own_rows(num_rows: int, share: int, shares: int) -> range:
    """A contiguous part of the rows, of nearly equal size for every share."""
    return range(num_rows * share // shares, num_rows * (share + 1) // shares)


def _array(matrix: Tensor) -> Any:
    return matrix.contiguous().cpu().numpy()
