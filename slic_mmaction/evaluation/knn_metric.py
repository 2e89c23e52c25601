"""Accuracy of a k-nearest-neighbour classifier on the embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from mmaction.registry import METRICS
from torch import Tensor

from ..nearest import nearest
from .feature_set import FeatureSet
from .gallery_metric import GalleryMetric, comparable, over_ranks, possible_ks, shown
from .protocols import name_in_keys


@METRICS.register_module()
class VideoKNNMetric(GalleryMetric):
    """Classifies each query by the weighted votes of its nearest gallery videos.

    A neighbour's vote weighs exp(cosine / T) (Wu et al., "Unsupervised feature learning via
    non-parametric instance discrimination", CVPR 2018). Results are named by protocol, k and
    T, as ``knn/iic/k20_T0.07/top1``. There is one for every k and T: the best of them is
    chosen on the queries and is no result of its own.

    Args:
        ks: Numbers of neighbours that vote. Those beyond the size of the gallery are left out,
            with a warning.
        temperatures: Values of T.
        topk: Of which accuracies are reported.
        **options: ``collect_device`` and ``prefix`` of MMEngine's ``BaseMetric``; results are
            named ``knn/...`` by default.
    """

    default_prefix = "knn"

    def __init__(
        self,
        ks: Sequence[int] = (20,),
        temperatures: Sequence[float] = (0.07,),
        topk: Sequence[int] = (1, 5),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for name, values in (("ks", ks), ("temperatures", temperatures), ("topk", topk)):
            if not values or min(values) <= 0:
                raise ValueError(f"VideoKNNMetric's {name} are positive, but got {values}.")
        self.ks = sorted(set(ks))
        self.temperatures = sorted(set(temperatures))
        self.topk = sorted(set(topk))

    def measure(self, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """Accuracies in percent; a ValueError if the gallery is smaller than every k."""
        ks = possible_ks(self.ks, len(gallery))
        queries, stored = comparable(query, gallery)
        similarities, indices = over_ranks(
            len(query), lambda own: nearest(queries[own], stored, ks[-1])
        )
        classes, truth = torch.from_numpy(gallery.labels), torch.from_numpy(query.labels)
        num_classes = int(max(classes.max(), truth.max())) + 1
        figures: dict[str, float] = {}
        lines = []
        for k, temperature in product(ks, self.temperatures):
            scores = knn_scores(classes[indices], similarities, num_classes, k, temperature)
            tops = {f"top{n}": 100 * top_k_accuracy(scores, truth, n) for n in self.topk}
            setting = f"k{k}_T{temperature:g}"
            key = f"{name_in_keys(query.full_name)}/{setting}"
            figures.update((f"{key}/{top}", value) for top, value in tops.items())
            lines.append(f"{setting} {shown(tops)}")
        self._log("kNN", query, gallery, "; ".join(lines))
        return figures


def knn_scores(
    labels: Tensor, similarities: Tensor, num_classes: int, k: int, temperature: float
) -> Tensor:
    """Votes for each class, weighted by exp(similarity / T) (Wu et al., CVPR 2018, section 3.4).

    Args:
        labels: (Q, K) int64 classes of the neighbours, nearest first.
        similarities: (Q, K) their cosines with the query.
        num_classes: C.
        k: How many neighbours vote, within 1..K.
        temperature: T, above 0; the lower, the more the nearest decide.

    Returns:
        (Q, C) float64, each row divided by the weight of its nearest neighbour, which keeps it
        within range and changes no order.
    """
    near = similarities[:, :k].double()
    weights = ((near - near[:, :1]) / temperature).exp()
    scores = torch.zeros(len(labels), num_classes, dtype=torch.float64, device=weights.device)
    return scores.scatter_add_(1, labels[:, :k], weights)


def top_k_accuracy(scores: Tensor, labels: Tensor, k: int) -> float:
    """Share of rows with their class among the k of highest score.

    Of classes with equal scores the lowest number comes first.

    Args:
        scores: (N, C).
        labels: (N,) int64 classes.
        k: At least 1.
    """
    best = scores.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return float((best == labels[:, None]).any(dim=1).double().mean())
