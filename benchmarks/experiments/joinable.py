"""Measure which pairs clustering would join in the features of a run, and how many are right.

    python benchmarks/experiments/joinable.py RUN_DIR --epoch 30 --out OUT.json

For each feature of the training videos and number of clips: the pairs that the levels of FINCH
join, and those that merging the closest clusters of its first level joins (``num_clusters``). Also
how often the nearest video of another source has the same class: for all videos, for those with the
highest cosine, and for mutual nearest neighbours. With ``--difference``, also for each feature
combined with that of frame differences, as ``second_pipeline`` clusters them. With ``--descriptors
FILE``, also for each feature combined with these descriptors, and for the descriptors alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clusters import GROUP, describe_pairs
from evaluate import classes, embed, load_run
from mmengine.dataset import pseudo_collate
from mmengine.runner import load_checkpoint
from torch import Tensor
from torch.nn.functional import normalize
from torch.utils.data import DataLoader, Subset

from slic_mmaction.clustering import FINCH, finch
from slic_mmaction.datasets.videos import video_name
from slic_mmaction.durable_file import write_text
from slic_mmaction.evaluation.linear_probe import video_groups
from slic_mmaction.pseudo_labels.descriptors import descriptors_of
from slic_mmaction.pseudo_labels.labelling import concatenate_views
from slic_mmaction.transforms import FrameDifference

SURE = (1.0, 0.5, 0.25, 0.1)
# Numbers of clusters per video.
MERGED = (0.225, 0.2, 0.15, 0.125, 0.0875)


def across_sources(rows: Any, groups: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Compute how often the nearest video of another source has the same class.

    ``rows`` are (N, D) embeddings, ``groups`` (N,) source videos and ``labels`` (N,) classes.
    """
    unit = normalize(rows.double(), dim=1)
    cosine = (unit @ unit.T).numpy()
    cosine[groups[:, None] == groups] = -np.inf
    nearest, surest_first = cosine.argmax(axis=1), np.argsort(-cosine.max(axis=1))
    right = labels[nearest] == labels
    found = {
        f"nearest, surest {share:.0%}": right[
            surest_first[: max(1, round(share * len(right)))]
        ].mean()
        for share in SURE
    }
    mutual = nearest[nearest] == np.arange(len(nearest))
    found["mutually nearest"] = right[mutual].mean()
    return {name: float(value) for name, value in found.items()}


def measure(
    folder: Path, epoch: int, difference: bool, descriptors: Path | None
) -> Iterator[dict[str, Any]]:
    """Measure each feature, number of clips and clustering."""
    _, model, dataset = load_run(folder)
    if epoch:
        load_checkpoint(model, str(folder / f"epoch_{epoch}.pth"), "cpu", strict=True)
    videos = dataset.gallery
    labels = classes(videos)
    groups = video_groups([video_name(videos, i) for i in range(len(videos))], GROUP)
    training = Subset(dataset, range(len(dataset.query), len(dataset)))
    loader = DataLoader(training, batch_size=32, collate_fn=pseudo_collate)
    seen = embed(model, loader)
    if difference:
        steps = dataset.pipeline.transforms
        after = [type(step).__name__ for step in steps].index("DecodeFrames") + 1
        steps.insert(after, FrameDifference(prob=1.0))
        seen = {
            name: torch.stack([seen[name], clips]) for name, clips in embed(model, loader).items()
        }
    described: list[Tensor] = []
    if descriptors is not None:
        described = [descriptors_of(descriptors, videos, max_missing=0.0)[0]]
        joined = concatenate_views(described)
        for row in kinds_of_pairs(joined, groups, labels):
            yield dict(feature="descriptors", clips="none", **row)
    for feature, clips in seen.items():
        middle = clips.shape[-2] // 2
        for name, part in (("one", clips[..., middle : middle + 1, :]), ("all", clips)):
            rows = part.mean(dim=-2)
            views = [*(rows if difference else [rows]), *described]
            joined = concatenate_views(views) if len(views) > 1 else rows
            for row in kinds_of_pairs(joined, groups, labels):
                yield dict(feature=feature, clips=name, **row)


def kinds_of_pairs(
    rows: Tensor, groups: np.ndarray, labels: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Measure nearest videos by :func:`across_sources`, and the pairs of each clustering."""
    yield across_sources(rows, groups, labels)
    joined = {f"level {n}": part for n, part in enumerate(finch(rows).labels.T[:3])}
    for share in MERGED:
        count = round(share * len(labels))
        if count <= joined["level 0"].max():
            joined[f"num_clusters={count}"] = FINCH(num_clusters=count)(rows)
    for how, part in joined.items():
        found = {k: float(v) for k, v in describe_pairs(part, groups, labels).items()}
        yield dict(finch=how, clusters=int(part.max()) + 1, **found)


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--epoch", type=int, required=True, help="epoch; 0 is the untrained network"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--difference", action="store_true", help="add features of frame differences"
    )
    parser.add_argument("--descriptors", type=Path, help="descriptors of the training videos")
    args = parser.parse_args()
    rows = list(measure(args.run, args.epoch, args.difference, args.descriptors))
    for row in rows:
        print(*(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
    write_text(args.out, json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
