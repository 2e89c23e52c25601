"""Evaluate retrieval and kNN of motion descriptors, without a network.

    python benchmarks/experiments/described.py data/ucf101/motion.npz

Queries are the test videos of ``slim_ucf101.py``, and the gallery its training videos. The figures
are those of ``evaluate.py``. As in clustering, the mean of the gallery is subtracted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from evaluate import classes, figures
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch.nn.functional import normalize

from slic_mmaction.datasets import RetrievalDataset
from slic_mmaction.pseudo_labels.descriptors import descriptors_of

CONFIG = Path(__file__).parent / "slim_ucf101.py"


def described(path: Path, dataset: RetrievalDataset) -> dict[str, float]:
    """Compute the figures, in percent, of the descriptors of all queries and the gallery."""
    rows = []
    for videos in (dataset.query, dataset.gallery):
        found, _ = descriptors_of(path, videos, max_missing=0.0)
        rows.append(normalize(found, dim=1))
    labels = np.concatenate([classes(dataset.query), classes(dataset.gallery)])
    centred = torch.cat(rows) - rows[1].mean(dim=0)
    return figures(centred, labels, len(dataset.query))


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("descriptors", type=Path)
    parser.add_argument("--config", type=Path, default=CONFIG)
    args = parser.parse_args()
    with DefaultScope.overwrite_default_scope("mmaction"):
        dataset = DATASETS.build(Config.fromfile(args.config).evaluation_dataset)
    print(*(f"{key} {value:.1f}" for key, value in described(args.descriptors, dataset).items()))


if __name__ == "__main__":
    main()
