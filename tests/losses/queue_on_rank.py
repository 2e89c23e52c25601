"""One rank of test_queue_on_ranks.py: RANK WORLD FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.dist import all_reduce_params
from torch import Tensor

from slic_mmaction.losses import PseudoLabelInfoNCELoss

LABELS = torch.tensor([0, 2**33 + 1, 2, 0, -1, 2**33 + 1, 2**33 + 1, 2, 0, 0, -1])


def run(rank: int, world: int, **options: int) -> dict[str, Tensor]:
    """Batches of 4 videos, the last of 3, dealt to the ranks in turn; an SGD step for each."""
    inputs = torch.randn(11, 3, 6, generator=torch.Generator().manual_seed(0)).double()
    torch.manual_seed(0)
    net = torch.nn.Linear(6, 5).double()
    loss = PseudoLabelInfoNCELoss(temperature=0.3, gather=True, **options).double()
    record = {}
    for epoch in range(2):
        all_reduce_params(loss.buffers(), op="mean")  # what SyncBuffersHook does
        if loss.queue is not None:
            loss.queue.use_labels(LABELS)
        for first in range(0, 11, 4):
            videos = list(range(first, min(first + 4, 11)))[rank::world]
            output = loss(net(inputs[videos]), LABELS[videos])
            net.zero_grad()
            output["loss_info_nce"].backward()
            for p in net.parameters():
                if world > 1:  # DistributedDataParallel's mean
                    dist.all_reduce(p.grad)
                p.data.sub_(p.grad / world)
            record.update({f"{epoch} {first} {k}": v.detach() for k, v in output.items()})
    record.update(net.state_dict())
    record.update(loss.state_dict())
    return record


def run_both(rank: int, world: int) -> dict[str, dict[str, Tensor]]:
    return dict(without=run(rank, world), queue=run(rank, world, queue_size=13, channels=5))


if __name__ == "__main__":
    rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
    torch.save(run_both(rank, world), folder / f"rank_{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
