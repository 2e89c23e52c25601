"""Where ranks have a GPU, or there is one process, mmengine is left alone.

CPU ranks train in tests/integration/test_ranks.py, and under SLURM in tests/tools/test_slurm.py.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dist import utils as dist_utils
from mmengine.runner import Runner

from slic_mmaction.compat import cpu_ranks


def test_machines_with_a_gpu_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_ranks, "get_device", lambda: "cuda")
    monkeypatch.setattr(Runner, "wrap_model", cpu_ranks._mmengine_wrap_model)
    before = dist_utils._init_dist_pytorch
    assert not cpu_ranks.repair_cpu_ranks()
    assert Runner.wrap_model is cpu_ranks._mmengine_wrap_model
    assert dist_utils._init_dist_pytorch is before


def test_one_process_is_not_wrapped() -> None:
    model = torch.nn.Linear(1, 1)
    logger = SimpleNamespace(info=lambda text: None)
    runner: Any = SimpleNamespace(distributed=False, logger=logger, cfg=ConfigDict())
    assert cpu_ranks.wrap_model(runner, None, model) is model
