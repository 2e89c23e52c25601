"""A collapse in a real Runner is said at the next clustering."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

pytestmark = pytest.mark.slow


@HOOKS.register_module()
class Collapse(Hook):
    """Makes the last layer's output the same for all videos, but for ``rest`` of what it was."""

    def __init__(self, rest: float) -> None:
        self.rest = rest

    def after_train_epoch(self, runner: Runner) -> None:
        last = runner.model.cls_head.projection[-1]
        with torch.no_grad():
            last.weight.mul_(self.rest)
            last.bias.fill_(1)


def log_of(cfg: Any, rest: float) -> list[str]:
    cfg.custom_hooks.append(dict(type="Collapse", rest=rest))
    cfg.optim_wrapper.optimizer.lr = 0.0
    runner = Runner.from_cfg(cfg)
    runner.train()
    return Path(runner.log_dir, f"{runner.timestamp}.log").read_text().splitlines()


@pytest.mark.parametrize("rest", [0.0, 1e-3])
def test_said_within_one_clustering(tiny_config, rest: float) -> None:
    lines = log_of(tiny_config(), rest)
    figures = [line for line in lines if "Embeddings of 8 videos  mean cosine: " in line]
    assert len(figures) == 2
    assert "mean cosine: 1.0000" in figures[1] and "mean cosine: 1.0000" not in figures[0]
    warnings = [line for line in lines if "WARNING - The embeddings have collapsed" in line]
    assert len(warnings) == 1
    assert lines.index(figures[0]) < lines.index(figures[1]) < lines.index(warnings[0])


def test_an_untouched_network_is_not_accused(tiny_config) -> None:
    assert "collapsed" not in "\n".join(log_of(tiny_config(), rest=1.0))
