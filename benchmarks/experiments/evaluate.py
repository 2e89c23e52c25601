"""Evaluate all checkpoints of a run, and the untrained network of its seed.

    python benchmarks/experiments/evaluate.py RUN_DIR

This writes ``RUN_DIR/figures.json``: R@1, R@5 and mAP (protocol iic) and kNN top-1 (k = 20,
T = 0.07) of each epoch, for the projection and the pooled backbone feature. Embeddings are stored
in ``RUN_DIR/embeddings``, and those of the untrained network, for all arms, in
``RUN_DIR/../../untrained``.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint, set_random_seed
from torch import Tensor
from torch.utils.data import DataLoader

from slic_mmaction.datasets import RetrievalDataset
from slic_mmaction.datasets.videos import annotation_files, true_labels
from slic_mmaction.durable_file import durable_file, write_text
from slic_mmaction.evaluation import (
    average_precisions,
    clip_features,
    knn_scores,
    recall_at_k,
    top_k_accuracy,
)
from slic_mmaction.nearest import nearest

RESULT = "figures.json"
NEIGHBORS, TEMPERATURE = 20, 0.07


def embed(model: BaseModel, loader: DataLoader) -> dict[str, Tensor]:
    """Embed the clips of each video: (N, clips, D) of the projection and of the backbone."""
    model.eval()
    videos: dict[str, list[Tensor]] = {"projection": [], "backbone": []}
    for batch in loader:
        for clips in clip_features(model, batch, "backbone", clips_per_pass=64):
            videos["backbone"].append(clips)
            with torch.no_grad():
                projected = model.cls_head.projection(clips.to(next(model.parameters()).device))
            videos["projection"].append(projected.cpu())
    return {name: torch.stack(rows) for name, rows in videos.items()}


def figures(rows: Tensor, labels: np.ndarray, num_queries: int) -> dict[str, float]:
    """Compute retrieval and kNN figures, in percent, of (Q + G, D) embeddings, queries first."""
    query, gallery = rows[:num_queries], rows[num_queries:]
    query_labels, gallery_labels = labels[:num_queries], labels[num_queries:]
    recall = recall_at_k(query, query_labels, gallery, gallery_labels, [1, 5])
    neighbors = min(NEIGHBORS, len(gallery))
    similarities, near = nearest(query, gallery, neighbors)
    votes = knn_scores(
        torch.from_numpy(gallery_labels)[near],
        similarities,
        int(labels.max()) + 1,
        neighbors,
        TEMPERATURE,
    )
    knn = top_k_accuracy(votes, torch.from_numpy(query_labels), 1)
    precision = average_precisions(query, query_labels, gallery, gallery_labels).mean().item()
    return {
        "R@1": 100 * recall[1],
        "R@5": 100 * recall[5],
        "mAP": 100 * precision,
        "kNN": 100 * knn,
    }


def config_of(folder: Path) -> Path:
    """Return the path of a run's config, beside its folder, where tools/train.py writes a copy."""
    return folder.with_suffix(".py")


def load_run(folder: Path) -> tuple[Config, BaseModel, RetrievalDataset]:
    """Return the config of a run, its untrained network, and the videos to evaluate."""
    cfg = Config.fromfile(config_of(folder))
    with DefaultScope.overwrite_default_scope("mmaction"):
        dataset: RetrievalDataset = DATASETS.build(cfg.evaluation_dataset)
        set_random_seed(cfg.randomness.seed)
        model = MODELS.build(cfg.model)
        model.init_weights()
    return cfg, model, dataset


def evaluate_run(folder: Path, device: str) -> list[dict[str, Any]]:
    """Evaluate each checkpoint and feature of a run, reusing stored embeddings."""
    cfg, model, dataset = load_run(folder)
    labels = np.concatenate([classes(dataset.query), classes(dataset.gallery)])
    loader = DataLoader(
        dataset, batch_size=32, num_workers=cfg.evaluation_workers, collate_fn=pseudo_collate
    )
    checkpoints: dict[int, Path | None] = {0: None}
    for path in folder.glob("epoch_*.pth"):
        checkpoints[int(re.findall(r"\d+", path.name)[0])] = path
    rows = []
    for epoch, checkpoint in sorted(checkpoints.items()):
        kept = folder / "embeddings" / f"epoch_{epoch}.npz"
        if checkpoint is None:
            # The untrained network is the same in all arms.
            kept = folder.parents[1] / "untrained" / f"{folder.name}.npz"
        if not kept.exists():
            if checkpoint is not None:
                load_checkpoint(model, str(checkpoint), map_location="cpu", strict=True)
            embedded: dict[str, Any] = {
                name: clips.mean(dim=1).numpy()
                for name, clips in embed(model.to(device), loader).items()
            }
            with durable_file(kept) as file:
                np.savez(file, **embedded)
        with np.load(kept) as embeddings:
            for feature in embeddings:
                found = figures(torch.from_numpy(embeddings[feature]), labels, len(dataset.query))
                rows.append(dict(epoch=epoch, feature=feature, **found))
    write_text(folder / RESULT, json.dumps(rows, indent=1))
    return rows


def classes(videos: Any) -> np.ndarray:
    """Return the true classes (N,) of a list of videos."""
    labels = true_labels(videos)
    if labels is None:
        raise ValueError(
            f"An evaluation needs a class for every video of {annotation_files(videos)}."
        )
    return labels


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    for row in evaluate_run(args.run, args.device):
        print(*(f"{k} {v if isinstance(v, (int, str)) else round(v, 1)}" for k, v in row.items()))


if __name__ == "__main__":
    main()
