"""Write pseudo-labels of known quality, to find how many pairs in clusters must be right.

    python benchmarks/experiments/made_labels.py ANN_FILE --out OUT.txt --sources 2
    python benchmarks/experiments/made_labels.py ANN_FILE --out OUT.txt --wrong 0.5

This writes an annotation file with these labels instead of classes, for the arm
``SUPERVISED_info_nce`` (``--cfg-options train_dataloader.dataset.dataset.ann_file=OUT.txt``), and
prints the kinds of their pairs. The evaluation uses the true classes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from clusters import GROUP, describe_pairs

from slic_mmaction.durable_file import write_text
from slic_mmaction.evaluation.linear_probe import video_groups


def joined_sources(groups: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """Return clusters of ``count`` source videos of the same class: all pairs right, few found."""
    labels = np.empty_like(classes)
    for c in np.unique(classes):
        _, number = np.unique(groups[classes == c], return_inverse=True)
        labels[classes == c] = number // count
    return np.unique(np.stack([classes, labels]), axis=1, return_inverse=True)[1].reshape(-1)


def partly_wrong(classes: np.ndarray, share: float) -> np.ndarray:
    """Return the classes, randomly permuted among a share of the videos."""
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(classes))[: round(share * len(classes))]
    labels = classes.copy()
    labels[chosen] = classes[rng.permutation(chosen)]
    return labels


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ann_file", type=Path, help="lines 'path class'")
    parser.add_argument("--out", type=Path, required=True)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--sources", type=int, help="number of source videos per cluster")
    kind.add_argument("--wrong", type=float, help="share of videos with permuted classes")
    args = parser.parse_args()
    pairs = [line.rsplit(maxsplit=1) for line in args.ann_file.read_text("utf-8").splitlines()]
    videos = [video for video, _ in pairs]
    classes = np.array([int(label) for _, label in pairs])
    groups = video_groups(videos, GROUP)
    if args.sources:
        labels = joined_sources(groups, classes, args.sources)
    else:
        labels = partly_wrong(classes, args.wrong)
    kinds = (f"{k} {float(v):.3f}" for k, v in describe_pairs(labels, groups, classes).items())
    print(len(np.unique(labels)), "clusters:", *kinds)
    write_text(args.out, "".join(f"{v} {n}\n" for v, n in zip(videos, labels)))


if __name__ == "__main__":
    main()
