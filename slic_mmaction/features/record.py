"""What an evaluation was made of, beside its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..datasets.retrieval_dataset import RetrievalDataset
from ..durable_file import durable_file
from ..evaluation.protocols import SeenAs

RECORD = "evaluation.json"


def evaluation_record(
    cfg: Config, dataset: RetrievalDataset, weights: str, seen: SeenAs
) -> dict[str, Any]:
    """All that tells whether two figures may be compared.

    Args:
        cfg (Config): Of the run.
        dataset (RetrievalDataset): Of queries and gallery.
        weights (str): Hash of the weights that the embeddings are computed from.
        seen (SeenAs): How videos became embeddings.

    Returns:
        dict[str, Any]: Plain values.
    """
    return dict(
        protocol=seen.rule.name,
        name=seen.name,
        feature=seen.feature,
        checkpoint=cfg.get("load_from"),
        checkpoint_hash=weights,
        config=cfg.filename,
        query=dict(ann_file=dataset.query.ann_file, videos=len(dataset.query)),
        gallery=dict(ann_file=dataset.gallery.ann_file, videos=len(dataset.gallery)),
    )


def write_record(folder: str | Path, record: dict[str, Any]) -> Path:
    """Write a record as ``evaluation.json`` into a folder."""
    path = Path(folder) / RECORD
    with durable_file(path) as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())
    return path
