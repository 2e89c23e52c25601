"""Clustering on all ranks: rank 0 leads, the others search their share when it asks."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from .exchange import Ranks, communication_device
from .search import Search
from .search_together import search_together

# (N, D) embeddings to (N,) integer labels, -1 for noise.
Clusterer = Callable[[Tensor], np.ndarray]

# Ranks wait for as long as rank 0 needs: a long clustering is no failure. If rank 0 dies, its
# connection breaks and they stop at once.
_PATIENCE = timedelta(days=7)

_current: ContextVar[Team | None] = ContextVar("team", default=None)
_control: dict[Any, Any] = {}


def current_team() -> Team | None:
    """The team that this process leads at the moment, if any."""
    return _current.get()


def cluster_on_all_ranks(clusterer: Clusterer, embeddings: Tensor) -> np.ndarray:
    """Cluster with the help of all ranks; every rank calls this with the same embeddings.

    The clusterer itself, with its graph or its centres, runs on rank 0. Wherever it asks for
    first neighbours (FINCH), each rank searches a share. Labels come from rank 0, so they are
    the same everywhere.

    Args:
        clusterer: Called on rank 0 only.
        embeddings: (N, D), the same on all ranks, on the device that is to search.

    Returns:
        (N,) labels, the same on every rank and for every number of ranks.

    Raises:
        Exception: What the clusterer raised, on every rank.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return clusterer(embeddings)
    team = Team(embeddings)
    if dist.get_rank() != 0:
        return team.follow()
    return team.lead(lambda: clusterer(embeddings))


class Team:
    """All ranks, led by rank 0.

    Args:
        embeddings: What every rank already has, so that it need not be sent.
    """

    def __init__(self, embeddings: Tensor) -> None:
        self._embeddings = embeddings
        self._group = _control_group()
        self._ranks = Ranks(self._group)

    def lead(self, cluster: Callable[[], np.ndarray]) -> np.ndarray:
        """On rank 0: cluster, then let the others go with the outcome."""
        token = _current.set(self)
        try:
            labels = cluster()
        except Exception as error:
            self._tell(("raise", error))
            raise
        finally:
            _current.reset(token)
        self._tell(("labels", labels))
        return labels

    def follow(self) -> np.ndarray:
        """On other ranks: search whenever rank 0 does, until it is done."""
        while True:
            task, *details = self._listen()
            if task == "labels":
                return details[0]
            if task == "raise":
                raise details[0]
            metric, search, sent = details
            matrix = self._embeddings
            if sent is not None:
                matrix = self._send(torch.empty(sent, device=communication_device()))
            try:
                search_together(matrix, metric, search, self._ranks)
            except Exception as error:
                # Rank 0 knows of it, has stopped, too, and sends its own error next.
                failed = error
                task, *details = self._listen()
                if task == "raise":
                    raise details[0] from failed
                raise

    def search(self, matrix: Tensor, metric: str, search: Search) -> np.ndarray:
        """On rank 0: first neighbours (N,) by all ranks."""
        known = matrix.data_ptr() == self._embeddings.data_ptr()
        known = known and matrix.shape == self._embeddings.shape
        self._tell(("search", metric, search, None if known else tuple(matrix.shape)))
        if not known:
            self._send(matrix.float().contiguous().to(communication_device()))
        return search_together(matrix, metric, search, self._ranks)

    def _send(self, matrix: Tensor) -> Tensor:
        dist.broadcast(matrix, src=0)
        return matrix

    def _tell(self, message: tuple) -> None:
        dist.broadcast_object_list([message], src=0, group=self._group)

    def _listen(self) -> tuple:
        message: list[Any] = [None]
        dist.broadcast_object_list(message, src=0, group=self._group)
        return message[0]


def _control_group() -> Any:
    """A gloo group for messages, made once for each default group."""
    world = dist.group.WORLD
    if world not in _control:
        _control.clear()
        _control[world] = dist.new_group(backend="gloo", timeout=_PATIENCE)
    return _control[world]
