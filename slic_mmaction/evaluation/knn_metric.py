"""Accuracy of a k-nearest-neighbour classifier on the embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from mmaction.registry import METRICS
from mmengine.dist import get_dist_info
from mmengine.logging import print_log

from ..nearest import nearest, search_device
from ..ranks import gather_rows, share_of, together
from .embedded_videos import EmbeddedVideos
from .gallery_metric import GalleryMetric, possible_ks
from .knn import knn_scores, top_k_accuracy
from .protocols import SeenAs


@METRICS.register_module()
class VideoKNNMetric(GalleryMetric):
    """Classifies each query by the weighted votes of its nearest gallery videos.

    A neighbour's vote weighs exp(cosine / T) (Wu et al., "Unsupervised feature learning via
    non-parametric instance discrimination", CVPR 2018). Results are named by protocol, k and
    T, as ``knn/iic/k20_T0.07/top1``. There is one for every k and T: the best of them is
    chosen on the queries and is no result of its own.

    Args:
        ks (Sequence[int]): Numbers of neighbours that vote. Those beyond the size of the gallery
            are left out, with a warning. Defaults to (20,).
        temperatures (Sequence[float]): Values of T. Defaults to (0.07,).
        topk (Sequence[int]): Of which accuracies are reported. Defaults to (1, 5).
        collect_device (str): As in MMEngine. Defaults to ``'cpu'``.
        prefix (str, optional): Of the names of the results. Defaults to ``'knn'``.
    """

    default_prefix = "knn"

    def __init__(
        self,
        ks: Sequence[int] = (20,),
        temperatures: Sequence[float] = (0.07,),
        topk: Sequence[int] = (1, 5),
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        for name, values in (("ks", ks), ("temperatures", temperatures), ("topk", topk)):
            if not values or min(values) <= 0:
                raise ValueError(f"VideoKNNMetric's {name} are positive, but got {values}.")
        self.ks = sorted(set(ks))
        self.temperatures = sorted(set(temperatures))
        self.topk = sorted(set(topk))

    def measure(
        self, query: EmbeddedVideos, gallery: EmbeddedVideos, seen: SeenAs
    ) -> dict[str, float]:
        """Accuracies in percent; see :meth:`GalleryMetric.measure`.

        Raises:
            ValueError: If the gallery is smaller than every k.
        """
        ks = possible_ks(self.ks, len(gallery))
        prepared = seen.rule.prepared
        device = search_device()
        queries = prepared(query.embeddings.means()).to(device)
        stored = prepared(gallery.embeddings.means()).to(device)
        own = share_of(len(query), *get_dist_info())
        found = together(lambda: nearest(queries[own.start : own.stop], stored, ks[-1]))
        similarities, indices = (gather_rows(part, len(query)) for part in found)
        classes = torch.from_numpy(gallery.labels)
        truth = torch.from_numpy(query.labels)
        num_classes = int(max(classes.max(), truth.max())) + 1
        figures: dict[str, float] = {}
        lines = []
        for k, temperature in product(ks, self.temperatures):
            scores = knn_scores(classes[indices], similarities, num_classes, k, temperature)
            tops = {f"top{n}": 100 * top_k_accuracy(scores, truth, n) for n in self.topk}
            setting = f"k{k}_T{temperature:g}"
            figures.update((f"{seen.slug}/{setting}/{top}", value) for top, value in tops.items())
            shown = ", ".join(f"{top} {value:.1f}" for top, value in tops.items())
            lines.append(f"{setting} {shown}")
        print_log(
            f"kNN (protocol {seen.clips}, feature {seen.feature}): {len(query)} queries by "
            f"{len(gallery)} gallery videos: {'; '.join(lines)}",
            logger="current",
        )
        return figures
