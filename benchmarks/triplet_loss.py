"""Compare the time of the triplet loss with two simple loops over labels and pairs.

All get the same embeddings and pseudo-labels, run forward and backward, and run in turn, so that a
busy machine slows all equally. ``autograd_loop`` is the simplest implementation: the term of every
pair is indexed from the distance matrix and kept in the graph. ``detached_loop`` is the fastest
loop: pairs are mined without gradient, and only the chosen triplets enter the graph, in one step.

    python benchmarks/triplet_loss.py --out triplet_loss.json
    python benchmarks/triplet_loss.py --device cuda
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from slic_mmaction.durable_file import write_text
from slic_mmaction.losses import pairwise_distance, pseudo_label_triplet_loss


def mined_pairs(distances: Tensor, labels: Tensor, margin: float) -> Iterator[tuple[int, int, int]]:
    """Yield each (anchor, positive, negative), found pair by pair."""
    for label in labels.unique():
        members = (labels == label).nonzero().flatten().tolist()
        negatives = (labels != label).nonzero().flatten()
        if negatives.numel() == 0:
            continue
        for anchor, positive in itertools.combinations(members, 2):
            to_negatives = distances[anchor, negatives]
            violating = (to_negatives < distances[anchor, positive] + margin).nonzero().flatten()
            if violating.numel() > 0:
                chosen = violating[torch.randint(violating.numel(), ())]
            else:
                chosen = to_negatives.argmin()
            yield anchor, positive, int(negatives[chosen])


def autograd_loop(embeddings: Tensor, labels: Tensor, margin: float = 0.2) -> Tensor:
    """Compute :func:`pseudo_label_triplet_loss` with one graph node per pair."""
    distances = pairwise_distance(embeddings, embeddings)
    terms = [
        (distances[i, j] - distances[i, n] + margin).relu()
        for i, j, n in mined_pairs(distances.detach(), labels, margin)
    ]
    return torch.stack(terms).mean()


def detached_loop(embeddings: Tensor, labels: Tensor, margin: float = 0.2) -> Tensor:
    """Compute the same loss, with all chosen triplets in one step."""
    distances = pairwise_distance(embeddings, embeddings)
    triplets = list(mined_pairs(distances.detach(), labels, margin))
    i, j, n = torch.tensor(triplets, device=labels.device).t()
    return (distances[i, j] - distances[i, n] + margin).relu().mean()


def seconds(loss: Callable[[Tensor, Tensor], Tensor], embeddings: Tensor, labels: Tensor) -> float:
    """Measure the wall time of one forward and backward pass."""
    embeddings.grad = None
    if embeddings.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    loss(embeddings, labels).backward()
    if embeddings.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--batch", type=int, default=512, help="number of videos, with 2 embeddings each"
    )
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--clusters", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, help="also write the result to this JSON file")
    args = parser.parse_args()

    torch.manual_seed(0)
    labels = torch.randint(args.clusters, (args.batch,)).repeat(2).to(args.device)
    centres = torch.randn(args.clusters, args.dim, device=args.device)
    noise = torch.randn(2 * args.batch, args.dim, device=args.device)
    embeddings = (centres[labels] + 2 * noise).requires_grad_()

    losses = (pseudo_label_triplet_loss, autograd_loop, detached_loop)
    for loss in losses:
        seconds(loss, embeddings, labels)
    rounds = [[seconds(loss, embeddings, labels) for loss in losses] for _ in range(args.repeats)]
    ours, autograd, detached = (statistics.median(times) for times in zip(*rounds))
    sizes = labels.bincount()
    cpu = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} thread(s)"
    device = torch.cuda.get_device_name() if args.device.startswith("cuda") else cpu
    result = {
        "embeddings": 2 * args.batch,
        "dim": args.dim,
        "clusters": args.clusters,
        "pairs": int((sizes * (sizes - 1) // 2).sum()),
        "device": device,
        "torch": torch.__version__,
        "ours_ms": 1e3 * ours,
        "autograd_loop_ms": 1e3 * autograd,
        "autograd_loop_ratio": autograd / ours,
        "detached_loop_ms": 1e3 * detached,
        "detached_loop_ratio": detached / ours,
    }
    print(json.dumps(result, indent=2))
    if args.out:
        write_text(args.out, json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
