"""One rank of a distributed run, started by test_ranks.py: CONFIG OUT_DIR."""

import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.runner import Runner

cfg = Config.fromfile(sys.argv[1])
cfg.launcher = "pytorch"
runner = Runner.from_cfg(cfg)
runner.train()
record = dict(
    labels=runner.train_dataloader.dataset.store.labels.clone(),
    weights=runner.model.module.state_dict(),
    gradient_ranks=torch.distributed.get_world_size(),
)
torch.save(record, Path(sys.argv[2]) / f"rank_{get_rank()}.pt")
