"""Pairs of videos in the clusters of a run: from the same source video or class, or others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slic_mmaction.clustering.quality import cluster_quality
from slic_mmaction.evaluation.linear_probe import video_groups

# Clips of one UCF101 group, v_CLASS_gXX_cYY, come from one source video.
GROUP = r"v_\w+_g\d+"


def describe_pairs(labels: np.ndarray, groups: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """Compute the shares of the kinds of pairs of videos in the same cluster.

    Args:
        labels: (N,) int64 pseudo-labels, -1 for noise.
        groups: (N,) int64 source videos.
        classes: (N,) int64 true classes.

    Returns:
        Share of pairs from the same source; share of the same class among the other pairs (NaN
        without others); and the recall of pairs of the same class from different sources, over all
        pairs, and as the mean over classes. One large cluster of one class increases only the
        former recall.
    """
    pairs = np.triu(np.ones((len(labels), len(labels)), dtype=bool), 1)
    joined = pairs & (labels[:, None] == labels) & (labels >= 0)
    same_source = groups[:, None] == groups
    beyond = joined & ~same_source
    wanted = pairs & (classes[:, None] == classes) & ~same_source
    right = joined & wanted
    of_class = [classes == c for c in np.unique(classes)]
    shares = [right[c].sum() / wanted[c].sum() for c in of_class if wanted[c].any()]
    return dict(
        same_source=(joined & same_source).sum() / max(1, joined.sum()),
        right_beyond=right.sum() / beyond.sum() if beyond.any() else float("nan"),
        found_beyond=right.sum() / max(1, wanted.sum()),
        found_by_class=float(np.mean(shares)) if shares else 0.0,
    )


def describe_clusterings(folder: Path, classes: dict[str, int]) -> list[dict[str, float]]:
    """Describe the pairs in each clustering of a run.

    Args:
        folder: Folder of the run.
        classes: True class by path of the video, as in the annotation files.
    """
    rows = []
    for path in sorted((folder / "pseudo_labels").glob("epoch_*.npz")):
        with np.load(path) as file:
            labels, videos, epoch = file["labels"], file["videos"].tolist(), int(file["epoch"])
        true = np.array([classes[video] for video in videos])
        quality = cluster_quality(labels, true)
        found = {key: float(quality[key]) for key in ("clusters", "nmi", "purity")}
        found.update(describe_pairs(labels, video_groups(videos, GROUP), true))
        rows.append(dict(epoch=epoch, **found))
    return sorted(rows, key=lambda row: row["epoch"])
