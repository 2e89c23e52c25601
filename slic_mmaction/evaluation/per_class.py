"""Recall of each class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .recall import recall_of_hits


def recall_per_class(
    hits: np.ndarray, labels: np.ndarray, ks: Iterable[int]
) -> dict[int, dict[int, float]]:
    """Recall of the queries of each class.

    Args:
        hits (np.ndarray): (Q, K) bool, whether a query's neighbour, nearest first, is of
            its class.
        labels (np.ndarray): (Q,) int classes of the queries.
        ks (Iterable[int]): Numbers of neighbours, each within 1..K.

    Returns:
        dict[int, dict[int, float]]: By class, of those that have a query, the recall within
        0..1 for each k.
    """
    ks = list(ks)
    return {int(c): recall_of_hits(hits[labels == c], ks) for c in np.unique(labels)}


def per_class_table(
    hits: np.ndarray, labels: np.ndarray, videos: np.ndarray, ks: Iterable[int]
) -> list[dict[str, int | float | str]]:
    """Recall of each class in percent, the poorest class first.

    Args:
        hits (np.ndarray): (Q, K) bool, as of :func:`recall_per_class`.
        labels (np.ndarray): (Q,) int classes of the queries.
        videos (np.ndarray): (Q,) str, paths of the queries.
        ks (Iterable[int]): Numbers of neighbours, each within 1..K.

    Returns:
        list[dict[str, int | float | str]]: For each class its label, one of its videos, the
        number of its queries, and ``R@k``.
    """
    ks = list(ks)
    rows: list[dict] = [
        dict(
            label=label,
            example=str(videos[labels == label][0]),
            queries=int((labels == label).sum()),
            **{f"R@{k}": 100 * recall for k, recall in recalls.items()},
        )
        for label, recalls in recall_per_class(hits, labels, ks).items()
    ]
    return sorted(rows, key=lambda row: row[f"R@{min(ks)}"])
