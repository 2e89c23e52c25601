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

from ..ranks import lost_rank
from .exchange import Ranks, communication_device
from .heartbeat import Heartbeat
from .search import Search
from .search_together import search_together

# (N, D) embeddings to (N,) integer labels, -1 for noise.
Clusterer = Callable[[Tensor], np.ndarray]

DEFAULT_TIMEOUT = timedelta(minutes=30)  # as gloo's

# Rank 0 may cluster for hours: that is no failure. While it does, it sends as many signs of life
# within a time-out.
_BEATS = 4

_current: ContextVar[Team | None] = ContextVar("team", default=None)
_control: dict[Any, Any] = {}


def current_team() -> Team | None:
    """The team that this process leads at the moment, if any."""
    return _current.get()


def cluster_on_all_ranks(
    clusterer: Clusterer, embeddings: Tensor, timeout: timedelta = DEFAULT_TIMEOUT
) -> np.ndarray:
    """Cluster with the help of all ranks; every rank calls this with the same embeddings.

    The clusterer itself, with its graph or its centres, runs on rank 0. Wherever it asks for
    first neighbours (FINCH), each rank searches a share. Labels come from rank 0, so they are
    the same everywhere.

    Args:
        clusterer: Called on rank 0 only.
        embeddings: (N, D), the same on all ranks, on the device that is to search.
        timeout: How long a rank waits for a sign of life of rank 0, which may cluster for much
            longer, or for another's share of a search, once its own is done.

    Returns:
        (N,) labels, the same on every rank and for every number of ranks.

    Raises:
        LostRankError: If another rank died or gave no sign of life within the time-out.
        Exception: What the clusterer raised, on every rank.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return clusterer(embeddings)
    team = Team(embeddings, timeout)
    try:
        if dist.get_rank() != 0:
            return team.follow()
        return team.lead(lambda: clusterer(embeddings))
    except RuntimeError as error:
        lost = lost_rank(error)
        if lost is None:
            raise
        raise lost from error


class Team:
    """All ranks, led by rank 0.

    Args:
        embeddings: What every rank already has, so that it need not be sent.
        timeout: See :func:`cluster_on_all_ranks`.
    """

    def __init__(self, embeddings: Tensor, timeout: timedelta) -> None:
        self._embeddings = embeddings
        self._timeout = timeout
        self._group = _control_group(timeout)
        self._ranks = Ranks(self._group)
        interval = timeout.total_seconds() / _BEATS
        self._heartbeat = Heartbeat(lambda: self._tell(("alive",)), interval)

    def lead(self, cluster: Callable[[], np.ndarray]) -> np.ndarray:
        """On rank 0: cluster, then let the others go with the outcome."""
        token = _current.set(self)
        try:
            with self._heartbeat:
                labels = cluster()
        except Exception as error:
            if lost_rank(error) is None:
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
            if task == "alive":
                continue
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
                if lost_rank(error):
                    raise
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
        with self._heartbeat.pause:
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


def _control_group(timeout: timedelta) -> Any:
    """A gloo group for messages, made once for each default group and time-out."""
    key = dist.group.WORLD, timeout
    if key not in _control:
        _control.clear()
        _control[key] = dist.new_group(backend="gloo", timeout=timeout)
    return _control[key]
