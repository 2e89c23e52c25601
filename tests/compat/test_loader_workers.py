from __future__ import annotations

import pytest
from mmengine.config import ConfigDict
from mmengine.runner import Runner

from slic_mmaction import compat

WORKERS = dict(
    persistent_workers=True, prefetch_factor=4, timeout=600, multiprocessing_context="fork"
)


@pytest.mark.parametrize("kind", [dict, ConfigDict])
def test_settings_of_workers_mean_nothing_without_workers(kind: type[dict]) -> None:
    """In every loader, whether ``num_workers=0`` is set or left out."""
    compat.apply()
    sampler = dict(type="DefaultSampler", shuffle=False)
    rest = dict(dataset=[1, 2, 3], batch_size=2, sampler=sampler, **WORKERS)
    for number in (dict(num_workers=0), {}):
        cfg = kind(**rest, **number)
        loader = Runner.build_dataloader(cfg, seed=0)
        assert list(loader) == [[1, 2], [3]] and not loader.persistent_workers
        assert cfg == dict(rest, **number)
    loader = Runner.build_dataloader(kind(**rest, num_workers=1))
    assert (loader.persistent_workers, loader.prefetch_factor) == (True, 4)
