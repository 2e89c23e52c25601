"""Who searches first neighbours, and how precisely: chosen by a tiny trial, or by name."""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor

from .faiss_search import faiss_gpu_failure, flat_search
from .prepared_rows import PreparedRows
from .settle import settle
from .tile_search import TileScores, search_tiles

BACKENDS = ("auto", "torch", "faiss")
PRECISIONS = ("auto", "float32", "bfloat16")
# Below, a choice costs more than it saves.
_TRIAL_ABOVE = 8192
_TRIAL_ROWS = 4096


class Search(NamedTuple):
    """A way to search: ``backend`` ``'torch'`` or ``'faiss'``, ``precision`` of its products."""

    backend: str = "torch"
    precision: str = "float32"

    def __call__(self, rows: PreparedRows, share: int = 0, shares: int = 1) -> TileScores:
        """Search a share of the work for :func:`settle`."""
        if self.backend == "faiss":
            return flat_search(rows, share, shares)
        return search_tiles(rows, self.precision, share, shares)


def check_options(metric: str, backend: str, precision: str) -> None:
    """Raise ValueError unless the names go together."""
    if backend not in BACKENDS or precision not in PRECISIONS:
        raise ValueError(
            f"Unknown neighbour search backend={backend!r} with precision={precision!r}: choose "
            f"one of {', '.join(BACKENDS)} and one of {', '.join(PRECISIONS)}."
        )
    if precision == "bfloat16" and (backend == "faiss" or metric != "cosine"):
        raise ValueError(
            "precision='bfloat16' needs backend='torch' and metric='cosine': faiss searches in "
            "float32, and squared distances lose too much in bfloat16."
        )


def choose_search(matrix: Tensor, metric: str, backend: str, precision: str) -> Search:
    """Fill in what is ``'auto'`` by the fastest that works here, and log the choice.

    All give the same neighbours, so a choice by time does no harm to reproducibility.

    Args:
        matrix: (N, D), what is searched.
        metric: ``'cosine'`` or ``'euclidean'``.
        backend: ``'auto'``, ``'torch'`` or ``'faiss'``.
        precision: ``'auto'``, ``'float32'`` or ``'bfloat16'``.

    Raises:
        ValueError: If the names do not go together.
        RuntimeError: If faiss is asked for on a GPU on which it does not work.
    """
    check_options(metric, backend, precision)
    if backend == "faiss":
        failure = faiss_gpu_failure() if matrix.device.type == "cuda" else None
        if failure:
            raise RuntimeError(
                f"faiss cannot search on {matrix.device} ({failure}): use backend='torch' or "
                "'auto', or install a faiss-gpu with code for this GPU."
            )
        return Search("faiss")
    if precision != "auto" and backend != "auto":
        return Search(backend, precision)
    if len(matrix) <= _TRIAL_ABOVE:
        return Search("torch", "float32" if precision == "auto" else precision)
    candidates = [
        Search("torch", name)
        for name in PRECISIONS[1:]
        if precision in ("auto", name) and (name == "float32" or metric == "cosine")
    ]
    if backend == "auto" and precision != "bfloat16":
        candidates.append(Search("faiss"))
    return _fastest(tuple(candidates), matrix.device, matrix.size(1), metric)


@lru_cache(maxsize=16)
def _fastest(candidates: tuple[Search, ...], device: torch.device, dim: int, metric: str) -> Search:
    """Try candidates on random rows; a choice is made, and logged, once per process."""
    generator = torch.Generator().manual_seed(0)
    rows = PreparedRows(torch.randn(_TRIAL_ROWS, dim, generator=generator).to(device), metric)
    seconds: dict[Search, float] = {}
    report = []
    for search in candidates:
        name = search.backend if search.backend == "faiss" else " ".join(search)
        try:
            seconds[search] = _seconds(search, rows)
            report.append(f"{name} {1000 * seconds[search]:.0f} ms")
        except Exception as error:  # whatever a half-working library throws
            report.append(f"{name} failed ({error or type(error).__name__})")
    if not seconds:
        raise RuntimeError(f"No neighbour search works here: {'; '.join(report)}.")
    chosen = min(seconds, key=lambda search: seconds[search])
    print_log(
        f"Neighbour search on {device} uses {' '.join(chosen)} (trial on {_TRIAL_ROWS} x {dim}: "
        f"{'; '.join(report)}).",
        logger="current",
        level=logging.INFO,
    )
    return chosen


def _seconds(search: Search, rows: PreparedRows) -> float:
    if search.backend == "faiss" and rows.device.type == "cuda":
        failure = faiss_gpu_failure()
        if failure:
            raise RuntimeError(failure)
    times = []
    for _ in range(2):  # the first one warms up
        start = time.perf_counter()
        settle(rows, search(rows), range(len(rows)))  # its result is an int: waits for the device
        times.append(time.perf_counter() - start)
    return times[-1]
