"""Named through ``custom_imports`` by a config of which one rank is to fail."""

from __future__ import annotations

import os
import pkgutil
import signal
from typing import Any

import numpy as np
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook

# Where a rank can be struck: functions that it enters.
PLACES = {
    "training": "mmengine.optim:OptimWrapper.update_params",
    "embedding": "slic_mmaction.pseudo_labels.labelling:embed_videos",
    "leading": "slic_mmaction.clustering.finch:FINCH.__call__",
    "searching": "slic_mmaction.clustering.all_ranks:first_neighbors",
}


@HOOKS.register_module()
class FailingRank(Hook):
    """Let one rank fail.

    Args:
        rank (int): Which.
        fault (str): ``'SIGKILL'``, as when memory runs out; ``'SIGSTOP'``, as when its machine
            loses power: its connections stay open and nothing comes; or ``'other labels'``.
        place (str): Where, a key of ``PLACES``; for other labels not needed.
        nth (int): Which time that it comes there, from 1.
    """

    def __init__(self, rank: int, fault: str, place: str = "", nth: int = 1) -> None:
        if get_rank() != rank:
            return
        if fault == "other labels":
            self._replace("slic_mmaction.pseudo_labels.labelling:cluster_on_all_ranks", _one_off)
            return
        times = iter(range(1, nth + 1))

        def struck(function: Any, *args: Any, **kwargs: Any) -> Any:
            if next(times, 0) == nth:
                print(f"RANK {rank} IS STRUCK", flush=True)
                os.kill(os.getpid(), getattr(signal, fault))
            return function(*args, **kwargs)

        self._replace(PLACES[place], struck)

    @staticmethod
    def _replace(name: str, substitute: Any) -> None:
        owner_name, _, attribute = name.replace(":", ".").rpartition(".")
        owner = pkgutil.resolve_name(owner_name)
        function = getattr(owner, attribute)
        setattr(owner, attribute, lambda *args, **kwargs: substitute(function, *args, **kwargs))


def _one_off(cluster: Any, *args: Any, **kwargs: Any) -> np.ndarray:
    labels = cluster(*args, **kwargs)
    labels[-1] += 1
    return labels
