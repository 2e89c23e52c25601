"""Settings of loader workers where there are none.

mmengine 0.10.7 hands a loader's settings on to torch's ``DataLoader`` as they are, and that refuses
``persistent_workers=True`` and ``prefetch_factor`` beside ``num_workers=0``. So of a config made
for workers ``--cfg-options train_dataloader.num_workers=0`` alone cannot take them away, as one
does to debug. Without workers the two mean nothing.
"""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any

from mmengine.runner import Runner
from torch.utils.data import DataLoader

_mmengine_build_dataloader = Runner.build_dataloader


def repair_loader_workers() -> bool:
    """Let ``Runner.build_dataloader`` leave out what only loader workers use.

    Left alone: an mmengine that knows ``prefetch_factor``.
    """
    if "prefetch_factor" in inspect.getsource(_mmengine_build_dataloader):
        return False
    Runner.build_dataloader = staticmethod(build_dataloader)
    return True


@functools.wraps(_mmengine_build_dataloader)
def build_dataloader(dataloader: DataLoader | dict, *args: Any, **kwargs: Any) -> DataLoader:
    """Build a loader as mmengine does, with its arguments."""
    if isinstance(dataloader, dict) and not dataloader.get("num_workers"):
        dataloader = copy.copy(dataloader)
        for name in ("persistent_workers", "prefetch_factor"):
            dataloader.pop(name, None)
    return _mmengine_build_dataloader(dataloader, *args, **kwargs)
