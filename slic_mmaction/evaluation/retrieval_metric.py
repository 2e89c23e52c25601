"""R@k of a validation or test loop, and a file of the nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.registry import METRICS
from mmengine.dist import is_main_process

from ..durable_file import durable_file
from ..nearest import nearest
from .feature_set import FeatureSet
from .gallery_metric import GalleryMetric, comparable, over_ranks, possible_ks, shown
from .recall import average_precisions, per_class_table, recall_of_hits


@METRICS.register_module()
class VideoRetrievalMetric(GalleryMetric):
    """Recall of nearest-neighbour retrieval of test videos (query) in training videos (gallery).

    R@k is the percentage of queries with a gallery video of their class among the k nearest
    neighbours by cosine. ``details`` has the recall of each class.

    To keep the best checkpoint, set ``CheckpointHook(save_best='retrieval/R@1',
    rule='greater')``. MMEngine cannot infer the rule.

    Args:
        ks: Numbers of neighbours. Those larger than the gallery are left out, with a warning.
        mean_average_precision: Whether to add ``mAP``, the mean over queries of
            :func:`average_precisions`, in percent.
        out_file: ``.npz`` file for the K nearest neighbours of each query: ``query_videos`` (Q,)
            and ``gallery_videos`` (G,), paths; ``query_labels`` and ``gallery_labels``;
            ``indices`` (Q, K), positions in the gallery, nearest first; ``similarities`` (Q, K),
            cosines. None writes no file.
        **options: ``collect_device`` and ``prefix`` of MMEngine's ``BaseMetric``. The default
            prefix is ``retrieval``.

    Raises:
        ValueError: If a k is less than 1.

    Examples:
        >>> from mmaction.registry import METRICS
        >>> from slic_mmaction.evaluation import FeatureSet
        >>> metric = METRICS.build(dict(type="VideoRetrievalMetric", ks=(1, 3)))
        >>> names, rows, labels = list("abcd"), np.eye(4) + 0.1, np.array([0, 1, 2, 2])
        >>> videos = FeatureSet.in_memory(names, rows, [1] * 4, "projection", "iic", None, labels)
        >>> metric.evaluate_features(query=videos, gallery=videos)
        {'retrieval/R@1': 100.0, 'retrieval/R@3': 100.0}
    """

    default_prefix = "retrieval"

    def __init__(
        self,
        ks: Sequence[int] = (1, 5, 10, 20, 50),
        mean_average_precision: bool = False,
        out_file: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not ks or min(ks) < 1:
            raise ValueError(f"VideoRetrievalMetric needs positive integers as ks, but got {ks}.")
        self.ks = sorted(set(ks))
        self.mean_average_precision = mean_average_precision
        self.out_file = out_file

    def measure(self, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """Return R@k and, if set, mAP in percent; raise a ValueError for a too small gallery."""
        ks = possible_ks(self.ks, len(gallery))
        queries, stored = comparable(query, gallery)
        similarities, indices = over_ranks(
            len(query), lambda own: nearest(queries[own], stored, ks[-1])
        )
        hits = gallery.labels[indices.numpy()] == query.labels[:, None]
        figures = {f"R@{k}": 100 * r for k, r in recall_of_hits(hits, ks).items()}
        if self.mean_average_precision:
            (precisions,) = over_ranks(
                len(query),
                lambda own: (
                    average_precisions(queries[own], query.labels[own], stored, gallery.labels),
                ),
            )
            figures["mAP"] = 100 * float(precisions.mean())
        self.details = dict(per_class=per_class_table(hits, query.labels, query.names, ks))
        if self.out_file is not None and is_main_process():
            with durable_file(self.out_file) as file:
                np.savez_compressed(
                    file,
                    query_videos=np.array(query.names),
                    query_labels=query.labels,
                    gallery_videos=np.array(gallery.names),
                    gallery_labels=gallery.labels,
                    indices=indices.numpy(),
                    similarities=similarities.numpy(),
                )
        self._log("retrieval", query, gallery, shown(figures))
        return figures
