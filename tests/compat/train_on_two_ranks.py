"""One rank of a tiny DDP training; run by ``test_cpu_ranks.py`` under torch.distributed.run.

Usage: train_on_two_ranks.py WORK_DIR with|without WRAPPER

With or without SyncBatchNorm, as a layer and by the config; WRAPPER is a type or 'default'.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from slic_mmaction import compat

compat.apply()

import torch  # noqa: E402
from mmengine.model import BaseModel  # noqa: E402
from mmengine.runner import Runner  # noqa: E402
from torch.utils.data import TensorDataset  # noqa: E402


class Net(BaseModel):
    def __init__(self, norm: type[torch.nn.Module]) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, 4), norm(4), torch.nn.Linear(4, 1))

    def forward(self, x: torch.Tensor, mode: str) -> dict[str, torch.Tensor]:
        return dict(loss=self.layers(x).square().mean())


def main(work_dir: Path, sync_bn: str, wrapper: str) -> None:
    torch.manual_seed(0)
    runner = Runner(
        Net(torch.nn.SyncBatchNorm if sync_bn == "with" else torch.nn.BatchNorm1d),
        str(work_dir),
        train_dataloader=dict(
            dataset=TensorDataset(torch.randn(16, 2)),
            batch_size=4,
            sampler=dict(type="DefaultSampler", shuffle=True),
            collate_fn=dict(type="default_collate"),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        default_hooks=dict(logger=None),
        launcher="pytorch",
        env_cfg=dict(dist_cfg=dict(backend="nccl")),
        cfg=dict(
            sync_bn="torch" if sync_bn == "with" else None,
            model_wrapper_cfg=dict(type=wrapper) if wrapper != "default" else None,
        ),
    )
    runner.train()
    weights = [p.detach().flatten() for p in runner.model.parameters()]
    report = dict(
        wrapper=type(runner.model).__name__,
        backend=torch.distributed.get_backend(),
        world=torch.distributed.get_world_size(),
        weights=torch.cat(weights).tolist(),
    )
    (work_dir / f"rank_{runner.rank}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
