"""One rank of test_gather.py, RANK of WORLD, or one process (WORLD 1): RANK WORLD FOLDER.

Trains nothing: saves losses and gradients of ``SLICHead`` for all batches of an epoch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from mmaction.structures import ActionDataSample
from mmengine.dataset import DefaultSampler
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from slic_mmaction.losses import PseudoLabelTripletLoss
from slic_mmaction.losses.gather import gather_batch
from slic_mmaction.models import SLICHead

NUM_VIDEOS, WIDTH = 17, 6
LABELS = torch.tensor([0, 1, 2, 0, -1, 1, 1, 2, 0, 0, -1, 2, 3, -1, 0, 1, 2])
CASES = [
    dict(mining=mining, metric=metric)
    for mining in ("random_violating", "hardest_violating", "random")
    for metric in ("cosine", "euclidean")
]


class Net(nn.Module):
    """``SLICHead`` in double precision; its BatchNorm does not mix the samples of a batch."""

    def __init__(self, **options: str) -> None:
        super().__init__()
        loss = dict(type="PseudoLabelTripletLoss", margin=0.5, gather=True, **options)
        torch.manual_seed(0)
        self.head = SLICHead(WIDTH, [loss], hidden_channels=8, out_channels=4).double().eval()

    def forward(self, videos: list[int]) -> dict[str, Tensor]:
        samples = []
        for video in videos:
            sample = ActionDataSample(metainfo=dict(draw_seed=100 + video))
            sample.pseudo_label = LABELS[video : video + 1]
            sample.video_indices = torch.tensor([video] * 3)
            samples.append(sample)
        return self.head.loss(features(videos), samples)


def features(videos: list[int]) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    every = torch.randn(NUM_VIDEOS, 3, WIDTH, dtype=torch.float64, generator=generator)
    return every[videos].flatten(0, 1)


def batches(size: int) -> list[list[int]]:
    """This rank's batches as MMEngine draws them; 17 videos end in uneven ones."""
    sampler = DefaultSampler(range(NUM_VIDEOS), shuffle=True, seed=3, round_up=False)
    mine = list(sampler)
    return [mine[i : i + size] for i in range(0, len(mine), size)]


def gradients(net: nn.Module) -> Tensor:
    parameters = [p.grad.flatten() for p in net.parameters()]
    net.zero_grad()
    return torch.cat(parameters)


def run(world: int) -> dict:
    record: dict = {}
    for case in CASES:
        net = Net(**case)
        wrapped = DistributedDataParallel(net) if world > 1 else net
        for number, videos in enumerate(batches(12 // world)):
            key = f"{case['mining']} {case['metric']} batch {number}"
            output = wrapped(videos)
            output["loss_triplet"].backward()
            record[f"{key}: gradient"] = gradients(net)
            for name, value in output.items():
                record[f"{key}: {name}"] = value.detach()
            # Without DistributedDataParallel: the sum over ranks is W times too large.
            net(videos)["loss_triplet"].backward()
            alone = gradients(net)
            if world > 1:
                dist.all_reduce(alone)
            record[f"{key}: summed gradient / W"] = alone / world
    return record


def rows(rank: int) -> dict:
    """Batches of any sizes, of other types, and with no generator."""
    own = torch.arange(rank + 1, dtype=torch.bfloat16, requires_grad=True)
    gathered, labels = gather_batch(own[:, None, None] + 10 * rank, torch.arange(rank + 1))
    (gathered.flatten() * torch.arange(1, 1 + len(labels))).sum().backward()
    torch.manual_seed(rank)
    pairs = torch.randn(6, 2, 4)
    loss = PseudoLabelTripletLoss(mining="random", gather=True)
    first, second = (loss(pairs, torch.arange(6) % 2)["loss_triplet"] for _ in range(2))
    return dict(
        gathered=gathered.detach(),
        labels=labels,
        own_gradient=own.grad,
        first=first,
        second=second,
    )


if __name__ == "__main__":
    rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    record = {}
    if world > 1:
        store = f"file://{folder}/store"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
        record = rows(rank)
    record["losses"] = run(world)
    torch.save(record, folder / f"rank_{rank}.pt")
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()
