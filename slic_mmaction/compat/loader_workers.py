"""Settings of loader workers with ``num_workers=0``.

mmengine 0.10.7 passes them to torch's ``DataLoader``, which refuses ``persistent_workers=True`` and
other settings with ``num_workers=0``, although they have no effect there.
"""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any

from mmengine.runner import Runner

_mmengine_build_dataloader = Runner.build_dataloader


def repair_loader_workers() -> bool:
    """Make ``Runner.build_dataloader`` drop settings of loader workers without workers.

    The repair is skipped if mmengine handles ``prefetch_factor``.
    """
    if "prefetch_factor" in inspect.getsource(_mmengine_build_dataloader):
        return False
    Runner.build_dataloader = staticmethod(build_dataloader)
    return True


@functools.wraps(_mmengine_build_dataloader)
def build_dataloader(dataloader: Any, *args: Any, **kwargs: Any) -> Any:
    if isinstance(dataloader, dict) and not dataloader.get("num_workers"):
        dataloader = copy.copy(dataloader)
        for name in ("persistent_workers", "prefetch_factor", "timeout", "multiprocessing_context"):
            dataloader.pop(name, None)
    return _mmengine_build_dataloader(dataloader, *args, **kwargs)
