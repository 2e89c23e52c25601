"""One of the processes that test_ranks.py compares: losses, gradients and queues of its rows."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from mmaction.structures import ActionDataSample
from mmengine.dataset import DefaultSampler
from mmengine.dist import all_reduce_params
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from slic_mmaction.losses import PseudoLabelInfoNCELoss, PseudoLabelTripletLoss
from slic_mmaction.losses.gather import gather_batch
from slic_mmaction.models import SLICHead

NUM_VIDEOS, WIDTH = 17, 6
LABELS = torch.tensor([0, 2**33 + 1, 2, 0, -1, 1, 1, 2, 0, 0, -1, 2, 3, -1, 0, 1, 2])
FEATURES = torch.randn(
    NUM_VIDEOS, 3, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
)
TRIPLET_CASES = [
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
        scalars = self.head.loss(FEATURES[videos].flatten(0, 1), samples)
        scalars.pop("mean_cosine", None)  # of a rank's own videos
        return scalars


def batches(world: int) -> list[list[int]]:
    """This rank's batches as MMEngine draws them; 17 videos end in uneven ones."""
    mine = list(DefaultSampler(range(NUM_VIDEOS), shuffle=True, seed=3, round_up=False))
    return [mine[i : i + 12 // world] for i in range(0, len(mine), 12 // world)]


def gradient(net: nn.Module) -> Tensor:
    flat = torch.cat([p.grad.flatten() for p in net.parameters()])
    net.zero_grad()
    return flat


def triplets(world: int) -> dict[str, Tensor]:
    record = {}
    for case in TRIPLET_CASES:
        net = Net(**case)
        wrapped = DistributedDataParallel(net) if world > 1 else net
        for number, videos in enumerate(batches(world)):
            key = f"{case['mining']} {case['metric']} batch {number}"
            output = wrapped(videos)
            output["loss_triplet"].backward()
            record[f"{key}: gradient"] = gradient(net)
            record.update({f"{key}: {name}": value.detach() for name, value in output.items()})
            # Without DistributedDataParallel: the sum over ranks is W times too large.
            net(videos)["loss_triplet"].backward()
            alone = gradient(net)
            if world > 1:
                dist.all_reduce(alone)
            record[f"{key}: summed gradient / W"] = alone / world
    return record


def info_nce(world: int, **options: int) -> dict[str, Tensor]:
    """Two epochs of SGD."""
    torch.manual_seed(0)
    net = nn.Linear(WIDTH, 5).double()
    loss = PseudoLabelInfoNCELoss(temperature=0.3, gather=True, **options).double()
    record = {}
    for epoch, (number, videos) in itertools.product(range(2), enumerate(batches(world))):
        if number == 0:
            all_reduce_params(loss.buffers(), op="mean")  # what SyncBuffersHook does
            if loss.queue is not None:
                loss.queue.use_labels(LABELS)
        output = loss(net(FEATURES[videos]), LABELS[videos])
        output["loss_info_nce"].backward()
        for p in net.parameters():
            if world > 1:  # DistributedDataParallel's mean
                dist.all_reduce(p.grad)
            p.data.sub_(p.grad / world)
        net.zero_grad()
        record.update({f"{epoch} {number} {k}": v.detach() for k, v in output.items()})
    return {**record, **net.state_dict(), **loss.state_dict()}


def run(world: int) -> dict[str, dict[str, Tensor]]:
    return dict(
        triplets=triplets(world),
        info_nce=info_nce(world),
        queue=info_nce(world, queue_size=13, channels=5),
    )


def rows(rank: int) -> dict[str, Tensor]:
    """Batches of any sizes, of other types, and with no generator."""
    own = torch.arange(rank + 1, dtype=torch.bfloat16, requires_grad=True)
    gathered, labels = gather_batch(own[:, None, None] + 10 * rank, torch.arange(rank + 1))
    (gathered.flatten() * torch.arange(1, 1 + len(labels))).sum().backward()
    torch.manual_seed(rank)
    loss = PseudoLabelTripletLoss(mining="random", gather=True)
    pairs = torch.randn(6, 2, 4)
    draws = [loss(pairs, torch.arange(6) % 2)["loss_triplet"] for _ in range(2)]
    return dict(
        gathered=gathered.detach(), labels=labels, own_gradient=own.grad, draws=torch.stack(draws)
    )


if __name__ == "__main__":
    dist.init_process_group("gloo")
    own, world = dist.get_rank(), dist.get_world_size()
    record = dict(run(world), rows=rows(own))
    torch.save(record, Path(sys.argv[1]) / f"rank_{own}.pt")
    dist.barrier()
    dist.destroy_process_group()
