from __future__ import annotations

import pytest
from mmengine.config import ConfigDict
from mmengine.runner import Runner

WORKERS = dict(persistent_workers=True, prefetch_factor=4)


@pytest.mark.parametrize("kind", [dict, ConfigDict])
def test_settings_of_workers_mean_nothing_without_workers(kind: type[dict]) -> None:
    """In every loader, whether ``num_workers=0`` is set or left out."""
    sampler = dict(type="DefaultSampler", shuffle=False)
    rest = dict(dataset=[1, 2, 3], batch_size=2, sampler=sampler, **WORKERS)
    for number in (dict(num_workers=0), {}):
        cfg = kind(**rest, **number)
        loader = Runner.build_dataloader(cfg, seed=0)
        assert list(loader) == [[1, 2], [3]] and not loader.persistent_workers
        assert cfg == dict(rest, **number)
    loader = Runner.build_dataloader(kind(**rest, num_workers=1))
    assert (loader.persistent_workers, loader.prefetch_factor) == (True, 4)


def test_training_and_validation_of_a_config_for_workers(tiny_config) -> None:
    options = {
        f"{split}_dataloader__{name}": value
        for split in ("train", "val", "test")
        for name, value in WORKERS.items()
    }
    runner = Runner.from_cfg(tiny_config(custom_hooks=[], train_cfg__val_interval=2, **options))
    runner.train()
    assert runner.epoch == 2 and "retrieval/R@1" in runner.test()
