"""Accuracy of a k-nearest-neighbour classifier on embeddings."""

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
    """Accuracy of a k-nearest-neighbour classifier of the queries, with the gallery's classes.

    The vote of a neighbour has the weight exp(cosine / T) (Wu et al., "Unsupervised feature
    learning via non-parametric instance discrimination", CVPR 2018, section 3.4). Results are
    named by protocol, k and T, such as ``knn/iic/k20_T0.07/top1``. Every k and T is reported;
    the best of them must not be reported alone, because it is chosen on the queries.

    Args:
        ks: Numbers of neighbours. Those larger than the gallery are left out, with a warning.
        temperatures: Values of T, above 0.
        topk: Values of k of the reported top-k accuracies.
        **options: ``collect_device`` and ``prefix`` of MMEngine's ``BaseMetric``. The default
            prefix is ``knn``.

    Raises:
        ValueError: If an option is empty or not positive.

    Examples:
        >>> from mmaction.registry import METRICS
        >>> from slic_mmaction.evaluation import FeatureSet
        >>> metric = METRICS.build(dict(type="VideoKNNMetric", ks=(1, 3), topk=(1,)))
        >>> names, rows, labels = list("abcd"), np.eye(2)[[0, 0, 1, 1]], np.array([7, 7, 8, 8])
        >>> videos = FeatureSet.in_memory(names, rows, [1] * 4, "projection", "iic", None, labels)
        >>> metric.evaluate_features(query=videos, gallery=videos)
        {'knn/iic/k1_T0.07/top1': 100.0, 'knn/iic/k3_T0.07/top1': 100.0}
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
                raise ValueError(f"VideoKNNMetric needs positive {name}, but got {values}.")
        self.ks = sorted(set(ks))
        self.temperatures = sorted(set(temperatures))
        self.topk = sorted(set(topk))

    def measure(self, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """Return accuracies in percent; raise a ValueError if the gallery is smaller than all k."""
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
    """Sum the votes for each class, with the weights exp(similarity / T).

    The weights are from Wu et al., CVPR 2018, section 3.4.

    Args:
        labels: (Q, K) int64 classes of the neighbours, nearest first.
        similarities: (Q, K) cosines of the neighbours with the query.
        num_classes: Number of classes C.
        k: Number of neighbours that vote, in 1..K.
        temperature: T, above 0. A low temperature gives the nearest neighbours more weight.

    Returns:
        (Q, C) float64. Each row is divided by the weight of its nearest neighbour, which avoids
        overflow and keeps the order.

    Examples:
        >>> from slic_mmaction.evaluation import knn_scores
        >>> labels, cosines = torch.tensor([[0, 1, 1]]), torch.tensor([[0.9, 0.8, 0.8]])
        >>> knn_scores(labels, cosines, num_classes=2, k=3, temperature=1.0)  # two votes win
        tensor([[1.0000, 1.8097]], dtype=torch.float64)
        >>> knn_scores(labels, cosines, num_classes=2, k=3, temperature=0.07)  # the nearest wins
        tensor([[1.0000, 0.4793]], dtype=torch.float64)
    """
    near = similarities[:, :k].double()
    weights = ((near - near[:, :1]) / temperature).exp()
    scores = torch.zeros(len(labels), num_classes, dtype=torch.float64, device=weights.device)
    return scores.scatter_add_(1, labels[:, :k], weights)


def top_k_accuracy(scores: Tensor, labels: Tensor, k: int) -> float:
    """Compute the share of rows whose class is among the k highest scores.

    Of classes with equal scores, the lowest number comes first.

    Args:
        scores: (N, C) floats.
        labels: (N,) int64 classes.
        k: Number of classes, at least 1.

    Returns:
        Accuracy in 0..1.

    Examples:
        >>> from slic_mmaction.evaluation import top_k_accuracy
        >>> scores = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]])
        >>> top_k_accuracy(scores, torch.tensor([0, 1]), k=1)
        0.5
        >>> top_k_accuracy(scores, torch.tensor([0, 1]), k=2)
        1.0
    """
    best = scores.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return float((best == labels[:, None]).any(dim=1).double().mean())
