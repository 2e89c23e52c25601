"""Figures of the average of a run's first and last weights.

    python benchmarks/experiments/average_weights.py RUN_DIR --shares 0.25 0.5 0.75

A share is the weight of the last checkpoint (Wortsman et al., "Robust fine-tuning of zero-shot
models", CVPR 2022). The figures are those of the backbone feature; see ``evaluate.py``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from evaluate import classes, embed, figures, load_run
from mmengine.dataset import pseudo_collate
from mmengine.runner import find_latest_checkpoint, load_checkpoint
from torch.utils.data import DataLoader

from slic_mmaction.durable_file import write_text


def average_weights(folder: Path, shares: list[float]) -> list[dict[str, float]]:
    """Return a row of figures for each share of the last checkpoint."""
    _, model, dataset = load_run(folder)
    labels = np.concatenate([classes(dataset.query), classes(dataset.gallery)])
    loader = DataLoader(dataset, batch_size=32, collate_fn=pseudo_collate)
    first = {name: value.clone() for name, value in model.state_dict().items()}
    last = load_checkpoint(model, str(find_latest_checkpoint(str(folder))), "cpu", strict=True)
    rows = []
    for share in shares:
        weights = {
            name: torch.lerp(value, last["state_dict"][name], share)
            if value.is_floating_point()
            else last["state_dict"][name]
            for name, value in first.items()
        }
        model.load_state_dict(weights)
        found = figures(embed(model, loader)["backbone"].mean(dim=1), labels, len(dataset.query))
        rows.append(dict(share=share, **found))
        print(*(f"{key} {value:.2f}" for key, value in rows[-1].items()), flush=True)
    return rows


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.25, 0.5, 0.75])
    args = parser.parse_args()
    rows = average_weights(args.run, args.shares)
    write_text(args.run / "averages.json", json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
