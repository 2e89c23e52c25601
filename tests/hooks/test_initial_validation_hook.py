from __future__ import annotations

import json
from pathlib import Path

from mmengine.runner import Runner


def recalls(runner: Runner) -> dict[int, float]:
    lines = (Path(runner.log_dir) / "vis_data" / "scalars.json").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return {r["step"]: r["retrieval/R@1"] for r in records if "retrieval/R@1" in r}


def test_validates_before_the_first_epoch_and_not_after_a_resume(tiny_config, tmp_path) -> None:
    cfg = tiny_config()
    cfg.custom_hooks.insert(0, dict(type="InitialValidationHook"))
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.optim_wrapper.optimizer.lr = 0.0
    first = Runner.from_cfg(cfg)
    first.train()
    assert set(recalls(first)) == {0, 1}

    cfg = tiny_config()
    cfg.custom_hooks.insert(0, dict(type="InitialValidationHook"))
    cfg.train_cfg.update(max_epochs=2, val_interval=1)
    cfg.resume = True
    second = Runner.from_cfg(cfg)
    second.train()
    # Not 0 again. 1 is made up for: its checkpoint was saved before it was validated.
    assert set(recalls(second)) == {1, 2}


def test_it_does_not_change_what_is_trained(tiny_config, tmp_path: Path) -> None:
    weights = []
    for hooks in ([], [dict(type="InitialValidationHook")]):
        cfg = tiny_config(tmp_path / str(len(hooks)))
        cfg.custom_hooks = [*hooks, *cfg.custom_hooks]
        runner = Runner.from_cfg(cfg)
        runner.train()
        weights.append([p.detach().clone() for p in runner.model.parameters()])
    assert all((a == b).all() for a, b in zip(*weights))
