"""Two CPU ranks under ``launcher='pytorch'``, with a config written for GPUs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dist import utils as dist_utils
from mmengine.runner import Runner

from slic_mmaction import compat
from slic_mmaction.compat import cpu_ranks

compat.apply()
PROGRAM = Path(__file__).with_name("train_on_two_ranks.py")


@pytest.mark.skipif("cpu_ranks" not in compat.apply(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("sync_bn", "wrapper"),
    [("without", "default"), ("with", "MMDistributedDataParallel")],
)
def test_two_ranks_train_to_the_same_weights(sync_bn: str, wrapper: str, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    run = subprocess.run(
        [*launch, str(PROGRAM), str(tmp_path), sync_bn, wrapper],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    first, second = (json.loads((tmp_path / f"rank_{i}.json").read_text()) for i in (0, 1))
    assert first["wrapper"] == "MMDistributedDataParallel"
    assert first["backend"] == "gloo"
    assert first["world"] == 2
    # Ranks see different samples: equal weights mean that gradients were averaged.
    assert first["weights"] == second["weights"]
    said = "SyncBatchNorm needs GPUs" in run.stdout + run.stderr
    assert said == (sync_bn == "with")


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


def test_gpu_only_start_is_said() -> None:
    with pytest.raises(ValueError, match="init_backend='deepspeed' needs GPUs"):
        cpu_ranks.init_gloo("nccl", init_backend="deepspeed")
